//! Eventfds: the rule [`rules::core::eventfd`] behind a lock, and the eight bytes of its values.
//!
//! Not here: sleeping (`pollee::wait`).
//! Source: eventfd(2); Linux 6.1 fs/eventfd.c.

use alloc::sync::Arc;
use core::task::Poll;

use pollee::{Events, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::eventfd::{EventFdMode, VALUE_SIZE};
use rules::core::seek::Whence;
use rules::machine::fallible;

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy};
use crate::machine::memory::transfer::{Sink, Source};

/// A counter that can be waited for.
pub(crate) struct EventFd {
    state: event::Locked<rules::core::eventfd::EventFd>,
}

impl EventFd {
    /// Returns the count.
    pub(crate) fn count(&self) -> u64 {
        self.state.read().count
    }
}

/// Makes and opens an eventfd that starts at `initial`. Of `flags` only `O_NONBLOCK` counts.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(initial: u32, mode: EventFdMode, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let state = event::Locked::new(Class::EventFd, rules::core::eventfd::EventFd::new(initial, mode));
    OpenFile::new(fallible::shared(EventFd { state })?, AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl File for EventFd {
    fn class(&self) -> Class {
        Class::EventFd
    }

    /// Reads the value, and resets the counter only if the value has arrived: Linux loses it with `EFAULT`.
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
            // As on Linux, every read notifies the writers: one whose value did not fit may fit it now, although the
            // eventfd was writable, for smaller values, all the time.
            state.raise(Events::OUT);
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
            state.raise(Events::IN);
        }
        result.map_ok(|()| VALUE_SIZE)
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.state)
    }

    /// Any one reader can take the value, but one writer may need more room than another.
    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        if waits_for == Events::READABLE { WakeMode::Exclusive.into() } else { WaitPolicy::default() }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len >= VALUE_SIZE
    }

    /// Succeeds, although there is no offset (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }
}
