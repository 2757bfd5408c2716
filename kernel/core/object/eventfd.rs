//! Eventfds: the rules of [`rules::core::eventfd`] behind a lock, and the eight bytes of their values.
//!
//! Not here: sleeping (event/wait).
//! Source: eventfd(2); Linux 6.1 fs/eventfd.c.

use alloc::sync::Arc;
use core::task::Poll;

use pollee::{Events, Share};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::eventfd::{Mode, VALUE_SIZE};
use rules::core::seek::Whence;

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, Manner};
use crate::machine::memory::transfer::{Sink, Source};

/// A counter to wait for.
pub(crate) struct EventFd {
    state: event::Locked<rules::core::eventfd::EventFd>,
}

/// Makes and opens an eventfd that starts at `initial`. Of `flags` only `O_NONBLOCK` means something.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(initial: u32, mode: Mode, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let state = event::Locked::new(Class::EventFd, rules::core::eventfd::EventFd::new(initial, mode));
    OpenFile::new(Arc::new(EventFd { state }), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl File for EventFd {
    fn class(&self) -> Class {
        Class::EventFd
    }

    /// Gives the value, and takes it from the count only when it has arrived: Linux loses it with `EFAULT`.
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() < VALUE_SIZE {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        let mut state = self.state.lock();
        state.peek().map(|value| {
            if to.put(&value.to_ne_bytes()) < VALUE_SIZE {
                return Err(Errno::EFAULT);
            }
            state.take();
            // Every read tells the writers, as on Linux: one that found no room for its value may find it now
            // although the eventfd was writable, for smaller values, all the time.
            state.report(Events::OUT);
            Ok(VALUE_SIZE)
        })
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        if from.remaining() < VALUE_SIZE {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        let mut bytes = [0; VALUE_SIZE];
        if from.take(&mut bytes) < VALUE_SIZE {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        let mut state = self.state.lock();
        let result = state.write(u64::from_ne_bytes(bytes));
        if let Poll::Ready(Ok(())) = result {
            state.report(Events::IN);
        }
        result.map_ok(|()| VALUE_SIZE)
    }

    fn poll(&self, interest: Events) -> Events {
        self.state.poll(interest)
    }

    fn front(&self) -> Option<(&event::Front, Events)> {
        Some((self.state.front(), Events::all()))
    }

    fn watch(&self) -> Option<&event::Watch> {
        Some(&self.state)
    }

    /// Any reader can take what there is; but of the writers one may need more room than another.
    fn manner(&self, waits_for: Events) -> Manner {
        if waits_for == Events::READABLE { Share::One.into() } else { Manner::default() }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len >= VALUE_SIZE
    }

    /// There is no offset, but to ask for it is no error (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }
}
