//! A bounded byte queue between readers and writers, in slots of a page each.
//!
//! Owns: the bytes, the counts of open ends.   Not here: sleeping (the wait loop), SIGPIPE (`core/syscall/write`),
//! the
//! events of each end (`core/object/pipe`), the copies (`slot`).
//! Invariant: no slot is empty; slots ≤ capacity; a write of at most `PIPE_BUF` bytes enters whole or not at all,
//! because it needs the room of one slot and takes it in one step.
//! Source: pipe(7), fcntl(2); Linux 6.1 fs/pipe.c (`pipe_read`, `pipe_write`).

pub(crate) mod slot;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use core::task::Poll;

use pollee::{Events, Readiness};

use self::slot::{BatchEnd, Slot};
pub use self::slot::{PAGE_SIZE, Page, Pages, PipeMode};
use crate::abi::errno::Errno;
use crate::machine::fallible;
use crate::machine::transfer::{Sink, Source};

/// The largest write that is atomic.
pub const PIPE_BUF: usize = 4096;

/// The capacity of a new pipe in bytes.
pub const DEFAULT_CAPACITY: usize = 16 * PAGE_SIZE;

/// The largest capacity without `CAP_SYS_RESOURCE`: `/proc/sys/fs/pipe-max-size`.
pub const UNPRIVILEGED_CAPACITY: usize = 1 << 20;

/// The largest argument of `F_SETPIPE_SZ` that Linux accepts.
const LARGEST_REQUEST: usize = 1 << 31;

/// The most slots; more fail with `ENOMEM`, as the allocation of Linux's array of slots would.
const MOST_SLOTS: usize = 1 << 16;

/// An end of a pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The read end.
    Reader,
    /// The write end.
    Writer,
}

impl End {
    /// Returns the other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

/// Whether a process may enlarge pipes beyond the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// It may not.
    None,
    /// It has `CAP_SYS_RESOURCE`.
    SysResource,
}

/// The state of a pipe or an open FIFO, for both ends.
#[derive(Debug)]
pub struct Pipe {
    pub(crate) slots: VecDeque<Slot>,
    /// How many slots may be filled.
    pub(crate) capacity: usize,
    readers: Side,
    writers: Side,
}

/// How many descriptions of the end are open.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    open: usize,
    /// How often the end was opened since the pipe was made.
    openings: u64,
}

impl Pipe {
    /// Creates an empty pipe without open ends.
    #[must_use]
    pub const fn new() -> Self {
        let closed = Side { open: 0, openings: 0 };
        let capacity = DEFAULT_CAPACITY / PAGE_SIZE;
        Self { slots: VecDeque::new(), capacity, readers: closed, writers: closed }
    }

    /// Opens one more reader or writer.
    pub fn open(&mut self, end: End) {
        let side = self.side_mut(end);
        side.open += 1;
        side.openings += 1;
    }

    /// Closes one reader or writer. The last close of both ends drops unread bytes.
    pub fn close(&mut self, end: End) {
        self.side_mut(end).open -= 1;
        if self.is_closed(End::Reader) && self.is_closed(End::Writer) {
            self.slots = VecDeque::new();
        }
    }

    /// Reads as many bytes as there are and fit, or the rest of one packet, of which bytes that do not fit are dropped.
    /// 0 is the end of the file: there is no writer.
    ///
    /// # Errors
    /// `EFAULT`: `to` is not writable; the bytes of the slot that was being read stay where they were.
    pub fn read(&mut self, to: &mut dyn Sink, pages: &mut dyn Pages) -> Poll<Result<usize, Errno>> {
        let wanted = to.remaining();
        let mut total = 0;
        while total < wanted && !self.slots.is_empty() {
            let room = wanted - total;
            let batch = if self.slots.len() == 1 {
                self.read_slot(to, room, pages)
            } else {
                self.read_batch(to, room, pages)
            };
            total += batch.copied;
            match batch.end {
                None => {}
                Some(BatchEnd::Packet) => break,
                Some(BatchEnd::Fault) if total == 0 => return Poll::Ready(Err(Errno::EFAULT)),
                Some(BatchEnd::Fault) => break,
            }
        }
        let must_wait = total == 0 && wanted > 0 && !self.is_closed(End::Writer);
        if must_wait { Poll::Pending } else { Poll::Ready(Ok(total)) }
    }

    /// Writes as many bytes as there is room for. A short count means that the pipe is full, that memory ran out, or
    /// that `from` ceased to be readable; in the last case more was taken from `from` than is counted.
    ///
    /// # Errors
    /// Nothing was written. `EPIPE`: there is no reader. `EFAULT`: `from` is not readable. `ENOMEM`: no page.
    pub fn write(
        &mut self,
        from: &mut dyn Source,
        mode: PipeMode,
        pages: &mut dyn Pages,
    ) -> Poll<Result<usize, Errno>> {
        let wanted = from.remaining();
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.is_closed(End::Reader) {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let mut total = match self.merge(from, wanted) {
            Ok(merged) => merged,
            Err(error) => return Poll::Ready(Err(error)),
        };
        while total < wanted && !self.is_full() {
            let rest = wanted - total;
            let written = if rest <= PAGE_SIZE {
                self.write_slot(from, rest, mode, pages)
            } else {
                self.write_batch(from, rest, mode, pages)
            };
            match written {
                Ok(written) => total += written,
                Err(error) if total == 0 => return Poll::Ready(Err(error)),
                Err(_) => break,
            }
        }
        if total == 0 { Poll::Pending } else { Poll::Ready(Ok(total)) }
    }

    /// Returns whether that end is closed.
    #[must_use]
    pub const fn is_closed(&self, end: End) -> bool {
        self.side(end).open == 0
    }

    /// Returns how often that end was opened: open(2) of a FIFO waits until the other end's number changes.
    #[must_use]
    pub const fn openings(&self, end: End) -> u64 {
        self.side(end).openings
    }

    /// Returns how many bytes can be read: `FIONREAD`.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.slots.iter().map(Slot::len).sum()
    }

    /// Returns the capacity in bytes: `F_GETPIPE_SZ`.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity * PAGE_SIZE
    }

    /// Sets the capacity to `bytes`, rounded up to a power of two of pages, and returns it: `F_SETPIPE_SZ`.
    ///
    /// # Errors
    /// The capacity stays. `EINVAL`: more than 2 GiB. `EPERM`: more than an unprivileged process may set. `EBUSY`: more
    /// slots are in use. `ENOMEM`: no memory for so many slots.
    pub fn set_capacity(&mut self, bytes: usize, privilege: Privilege) -> Result<usize, Errno> {
        if bytes > LARGEST_REQUEST {
            return Err(Errno::EINVAL);
        }
        let bytes = bytes.max(PAGE_SIZE).next_power_of_two();
        let slots = bytes / PAGE_SIZE;
        if slots > self.capacity && bytes > UNPRIVILEGED_CAPACITY && privilege == Privilege::None {
            return Err(Errno::EPERM);
        }
        if slots < self.slots.len() {
            return Err(Errno::EBUSY);
        }
        if slots > MOST_SLOTS {
            return Err(Errno::ENOMEM);
        }
        let more = slots - self.slots.len();
        fallible::reserve_exact(&mut self.slots, more)?;
        self.slots.shrink_to(slots);
        self.capacity = slots;
        Ok(self.capacity())
    }

    /// Returns whether no slot is free.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    const fn side(&self, end: End) -> &Side {
        match end {
            End::Reader => &self.readers,
            End::Writer => &self.writers,
        }
    }

    fn side_mut(&mut self, end: End) -> &mut Side {
        match end {
            End::Reader => &mut self.readers,
            End::Writer => &mut self.writers,
        }
    }
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness for Pipe {
    /// Computes the events of both ends. A pipe is writable if a slot is free; space in the last page is not enough.
    /// That is Linux's rule, so that a write of `PIPE_BUF` bytes succeeds.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::READABLE, !self.slots.is_empty());
        events.set(Events::WRITABLE, !self.is_full());
        events.set(Events::HUP, self.is_closed(End::Writer));
        events.set(Events::ERR, self.is_closed(End::Reader));
        events
    }
}
