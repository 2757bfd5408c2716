//! An inotify instance as a file.
//!
//! Owns: the bytes that read(2) returns.   Not here: the queue (`rules::linux::inotify::queue`).
//! Source: inotify(7); Linux 6.1 fs/notify/inotify/inotify_user.c (`inotify_read`, `inotify_poll`).

use alloc::sync::Arc;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::seek::Whence;
use rules::linux::inotify::record::{Event, HEADER};

use super::group::Group;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;
use crate::machine::memory::transfer::Sink;

/// An inotify instance.
pub(crate) struct Inotify(Arc<Group>);

/// Makes and opens an instance that belongs to `uid`. Of `flags` only `O_NONBLOCK` counts.
///
/// # Errors
/// `EMFILE`: the user has too many instances. `ENOMEM`.
pub(crate) fn create(uid: u32, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let instance = Inotify(Group::new(uid)?);
    OpenFile::new(Arc::new(instance), AccessMode::Read, flags & OpenFlags::NONBLOCK)
}

impl Inotify {
    /// Returns its watches and its queue.
    pub(crate) const fn group(&self) -> &Arc<Group> {
        &self.0
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl File for Inotify {
    fn class(&self) -> Class {
        Class::Inotify
    }

    /// Reads as many whole events as there is room for. An event leaves the queue after its bytes have arrived; Linux
    /// loses it with `EFAULT`.
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut done = 0;
        let mut queue = self.0.queue.lock();
        loop {
            let error = match queue.first() {
                None if done == 0 => return Poll::Pending,
                None => break,
                Some(event) if event.size() > to.remaining() => Errno::EINVAL,
                Some(event) => match put(event, to) {
                    Some(len) => {
                        done += len;
                        // A name that only the queue has kept is freed under the lock, which is short.
                        drop(queue.take());
                        continue;
                    }
                    None => Errno::EFAULT,
                },
            };
            return Poll::Ready(if done > 0 { Ok(done) } else { Err(error) });
        }
        Poll::Ready(Ok(done))
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.0.queue)
    }

    /// Succeeds, although there is no offset (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.0.queue.read().len())
    }
}

/// Puts an event and returns its length; `None`: not all of it has arrived.
fn put(event: &Event, to: &mut dyn Sink) -> Option<usize> {
    const ZEROS: [u8; HEADER] = [0; HEADER];
    let padding = event.padded() - event.name().len();
    let parts: [&[u8]; 3] = [&event.header(), event.name(), &ZEROS[..padding.min(HEADER)]];
    parts.into_iter().all(|part| part.is_empty() || to.put(part) == part.len()).then(|| event.size())
}
