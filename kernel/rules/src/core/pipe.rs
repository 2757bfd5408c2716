//! A bounded byte queue between readers and writers, in slots of a page each.
//!
//! Owns: the bytes, the counts of open ends.   Not here: sleeping (event/wait), SIGPIPE (syscall/write), which of
//! the events belong to which end (object/pipe).
//! Invariant: no slot is empty; slots ≤ capacity; a write of at most `PIPE_BUF` bytes enters whole or not at all,
//! because it needs the room of one slot and takes it in one step.
//! Source: pipe(7), fcntl(2); Linux 6.1 fs/pipe.c.

mod slot;
#[cfg(test)]
mod tests;
mod transfer;

use alloc::collections::VecDeque;

use pollee::{Events, Readiness};

use self::slot::Slot;
pub use self::slot::{Kind, PAGE_SIZE, Page, Pages};
use crate::abi::errno::Errno;

/// A write of no more bytes than this is not mixed with others.
pub const PIPE_BUF: usize = 4096;

/// Bytes that a new pipe has room for.
pub const DEFAULT_CAPACITY: usize = 16 * PAGE_SIZE;

/// What `F_SETPIPE_SZ` gives to everybody: `/proc/sys/fs/pipe-max-size`.
pub const UNPRIVILEGED_CAPACITY: usize = 1 << 20;

/// The largest size that Linux takes for one.
const LARGEST_REQUEST: usize = 1 << 31;

/// Slots beyond this are refused like an allocation that failed, as Linux's own array of slots would.
const MOST_SLOTS: usize = 1 << 16;

/// One side of a pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The side to read from.
    Reader,
    /// The side to write to.
    Writer,
}

impl End {
    /// The side that this one needs.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

/// Who asks for a larger pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// Anybody.
    None,
    /// A process with `CAP_SYS_RESOURCE`.
    SysResource,
}

/// A pipe or an open FIFO, seen from both ends.
#[derive(Debug)]
pub struct Pipe {
    slots: VecDeque<Slot>,
    /// Most slots that may be filled.
    capacity: usize,
    readers: Side,
    writers: Side,
}

/// How many have an end open.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    open: usize,
    /// How many had it open since the pipe was made.
    openings: u64,
}

impl Pipe {
    /// An empty pipe with no end open.
    #[must_use]
    pub const fn new() -> Self {
        let nobody = Side { open: 0, openings: 0 };
        let capacity = DEFAULT_CAPACITY / PAGE_SIZE;
        Self { slots: VecDeque::new(), capacity, readers: nobody, writers: nobody }
    }

    /// Opens one more reader or writer.
    pub fn open(&mut self, end: End) {
        let side = self.side_mut(end);
        side.open += 1;
        side.openings += 1;
    }

    /// Closes one reader or writer. When no end is open any more, the bytes that nobody read are gone.
    pub fn close(&mut self, end: End) {
        self.side_mut(end).open -= 1;
        if self.is_closed(End::Reader) && self.is_closed(End::Writer) {
            self.slots = VecDeque::new();
        }
    }

    /// Whether there is nobody at that end.
    #[must_use]
    pub const fn is_closed(&self, end: End) -> bool {
        self.side(end).open == 0
    }

    /// How often that end was opened; who opens a FIFO waits until the other end's number changes.
    #[must_use]
    pub const fn openings(&self, end: End) -> u64 {
        self.side(end).openings
    }

    /// Bytes that have been written and not read: `FIONREAD`.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.slots.iter().map(Slot::len).sum()
    }

    /// Bytes that fit if every slot is filled: `F_GETPIPE_SZ`.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity * PAGE_SIZE
    }

    /// Makes room for `bytes`, rounded up to a power of two of pages; returns the new capacity.
    ///
    /// # Errors
    /// The capacity is as before. `EINVAL`: more than 2 GiB. `EPERM`: more than everybody may have. `EBUSY`: more
    /// slots are in use. `ENOMEM`: no room for so many slots.
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
        self.slots.try_reserve_exact(slots - self.slots.len()).map_err(|_| Errno::ENOMEM)?;
        self.slots.shrink_to(slots);
        self.capacity = slots;
        Ok(self.capacity())
    }

    /// Whether a write of one byte would have to wait, unless it fits behind the last one.
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
    /// The events of both ends. Writable asks for a free slot, room in the last page is not enough: that is
    /// Linux's rule, and makes a write of `PIPE_BUF` bytes succeed.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::READABLE, !self.slots.is_empty());
        events.set(Events::WRITABLE, !self.is_full());
        events.set(Events::HUP, self.is_closed(End::Writer));
        events.set(Events::ERR, self.is_closed(End::Reader));
        events
    }
}
