//! Pipes: the rule [`rules::core::pipe`] behind a lock, and its two kinds of ends.
//!
//! Owns: the lock, and which events an end shows.   Not here: sleeping (`pollee::wait`), SIGPIPE
//! (`core/syscall/write`), names (`linux/fs`), waiting for the other end of a FIFO (`core/syscall/blocking`).
//! Invariant: one open end of the rule for each living [`PipeEnd`].
//!
//! Both ends share one `Locked`: a change updates one readiness word, whichever end is polled. Each end masks what it
//! registers for and what it reports, so a reader never gets `POLLERR`, nor a writer `POLLHUP`.
//! Source: pipe(7); Linux 6.1 fs/pipe.c (`pipe_poll`, `pipe_release`).

pub(crate) mod pool;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::Poll;

use pollee::{Events, Pollable, ReadinessHeader, ReadinessSource, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::core::pipe::{End, PAGE_SIZE, PipeMode, Privilege};

use self::pool::PagePool;
use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::budget;
use crate::machine::memory::transfer::{Sink, Source};

/// A pipe; it exists while one of its ends is open, or while something in the file tree leads to it.
pub(crate) struct Pipe {
    pub(crate) state: event::Locked<rules::core::pipe::Pipe>,
    /// The number of an inode of its own; `None` for a FIFO, whose inode is in the file tree.
    inode: Option<u64>,
}

/// What a read raises for the writers' `SIGIO`, which Linux sends for every read. It is never ready.
const READ: Events = Events::MSG;

/// An end of a pipe: the pipe, opened for reading, writing, or both.
pub(crate) struct PipeEnd {
    pub(crate) pipe: Arc<Pipe>,
    access: AccessMode,
    /// The events of this end.
    mask: Events,
    /// `O_DIRECT`: writes are packets. A flag on its own, so the atomic needs no ordering.
    is_packetized: AtomicBool,
    /// The other side, if it was closed when this end was opened.
    partner: Option<PartnerSnapshot>,
}

/// A side that was closed when its partner opened, and how often it had been opened by then.
#[derive(Clone, Copy)]
struct PartnerSnapshot {
    side: End,
    openings: u64,
}

/// The open descriptions of both ends of a pipe.
pub(crate) struct Ends {
    /// For reading.
    pub(crate) reader: Arc<OpenFile>,
    /// For writing.
    pub(crate) writer: Arc<OpenFile>,
}

/// Makes a pipe and opens both ends. Of `flags`, `O_NONBLOCK` applies to both and `O_DIRECT` to the writer.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(flags: OpenFlags) -> Result<Ends, Errno> {
    static NEXT_INODE: AtomicU64 = AtomicU64::new(1);
    let _grant = budget::grant(PAGE_SIZE)?;
    let pipe = Arc::new(Pipe::new(Some(NEXT_INODE.fetch_add(1, Ordering::Relaxed))));
    let nonblocking = flags & OpenFlags::NONBLOCK;
    let packets = flags & OpenFlags::DIRECT;
    let open =
        |pipe, access, flags| OpenFile::new(Arc::new(PipeEnd::open(pipe, access, flags)), access, flags);
    Ok(Ends {
        reader: open(pipe.clone(), AccessMode::Read, nonblocking)?,
        writer: open(pipe, AccessMode::Write, nonblocking | packets)?,
    })
}

impl Pipe {
    /// Makes a pipe; without an `inode` of its own, it is a FIFO.
    pub(crate) fn new(inode: Option<u64>) -> Self {
        let state = event::Locked::new(Class::Pipe, rules::core::pipe::Pipe::new());
        Self { state, inode }
    }

    /// Opens an end, once more or for the first time. A blocking open(2) of a FIFO then waits for the other end
    /// ([`File::finish_open`]).
    ///
    /// # Errors
    /// No end was opened. `ENXIO`: of a FIFO, for writing only with `O_NONBLOCK`, and no reader has it open.
    pub(crate) fn open(
        self: &Arc<Self>,
        access: AccessMode,
        flags: OpenFlags,
    ) -> Result<Arc<dyn File>, Errno> {
        let may_fail = self.inode.is_none() && flags.contains(OpenFlags::NONBLOCK);
        if may_fail && access == AccessMode::Write && self.state.read().is_closed(End::Reader) {
            return Err(Errno::ENXIO);
        }
        let end = PipeEnd::open(self.clone(), access, flags);
        // A thread that waits for this end to be opened waits to read or to write. For other waiters the wake is
        // spurious.
        self.state.notify(Events::READABLE | Events::WRITABLE);
        Ok(Arc::new(end))
    }
}

impl PipeEnd {
    fn open(pipe: Arc<Pipe>, access: AccessMode, flags: OpenFlags) -> Self {
        let partner = {
            let mut state = pipe.state.lock();
            sides(access).for_each(|side| state.open(side));
            let partner = sides(access).map(End::other).find(|side| state.is_closed(*side));
            // No open(2) waits for the other end of a pipe without a name, and its hang-up always shows.
            let partner = partner.filter(|_| pipe.inode.is_none());
            partner.map(|side| PartnerSnapshot { side, openings: state.openings(side) })
        };
        let is_packetized = AtomicBool::new(flags.contains(OpenFlags::DIRECT));
        let mask = sides(access).fold(Events::empty(), |mask, side| {
            mask | match side {
                End::Reader => Events::READABLE | Events::HUP,
                End::Writer => Events::WRITABLE | Events::ERR | READ,
            }
        });
        Self { pipe, access, mask, is_packetized, partner }
    }

    /// Returns the pipe.
    pub(crate) const fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Returns how many bytes fit into the pipe.
    pub(crate) fn capacity(&self) -> usize {
        self.pipe.state.read().capacity()
    }

    /// Sets the capacity to at least `bytes` and returns the new capacity.
    ///
    /// # Errors
    /// The capacity is unchanged. Those of [`rules::core::pipe::Pipe::set_capacity`]. `ENOMEM`: only the reserve is left.
    pub(crate) fn set_capacity(&self, bytes: usize, privilege: Privilege) -> Result<usize, Errno> {
        self.pipe.state.lock().set_capacity(bytes, privilege)
    }
}

impl PartnerSnapshot {
    /// Returns whether that side was opened since.
    fn has_opened_since(self, state: &rules::core::pipe::Pipe) -> bool {
        state.openings(self.side) != self.openings
    }
}

/// Returns the sides of a pipe that a description with `access` keeps open.
fn sides(access: AccessMode) -> impl Iterator<Item = End> {
    let reader = access.reads().then_some(End::Reader);
    let writer = access.writes().then_some(End::Writer);
    reader.into_iter().chain(writer)
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        sides(self.access).for_each(|side| state.close(side));
    }
}

impl File for PipeEnd {
    fn class(&self) -> Class {
        Class::Pipe
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut state = self.pipe.state.lock();
        let was_full = state.is_full();
        let result = state.read(to, &mut PagePool);
        if was_full && matches!(result, Poll::Ready(Ok(1..))) {
            // As on Linux, even if no slot became free (`pipe_read`): the order in an epoll depends on it.
            state.raise(Events::WRITABLE);
        }
        if state.is_awaited(READ) {
            state.raise(READ);
        }
        result
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let kind =
            if self.is_packetized.load(Ordering::Relaxed) { PipeMode::Packet } else { PipeMode::Stream };
        let mut state = self.pipe.state.lock();
        let result = state.write(from, kind, &mut PagePool);
        if let Poll::Ready(Ok(1..)) | Poll::Pending = result {
            // Every write notifies edge-triggered readers, not only the first into an empty pipe: programs rely on
            // that. As on Linux (`pipe_write`), so does a write that found no room.
            state.raise(Events::READABLE);
        }
        result
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(self)
    }

    /// Any one reader can read what made the pipe readable, and any one writer can use a free slot.
    fn wait_policy(&self, _waits_for: Events) -> WaitPolicy {
        WakeMode::Exclusive.into()
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len > 0
    }

    fn finish_open(&self) -> Poll<()> {
        match self.partner {
            Some(partner) if !partner.has_opened_since(&self.pipe.state.read()) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    fn stat(&self) -> Stat {
        let mode = FileType::Fifo.to_mode() | 0o600;
        // The location of a FIFO says more.
        Stat { inode: self.pipe.inode.unwrap_or(0), links: 1, mode, block_size: 4096, ..Stat::default() }
    }

    fn set_status(&self, status: OpenFlags) -> Result<(), Errno> {
        self.is_packetized.store(status.contains(OpenFlags::DIRECT), Ordering::Relaxed);
        Ok(())
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.pipe.state.read().unread())
    }
}

/// Shows only those of the pipe's events that are the end's.
impl Pollable<Pollux> for PipeEnd {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &self.pipe.state
    }

    fn source_interest(&self, interest: Events) -> Events {
        interest & self.mask
    }

    /// Hides `POLLHUP` until the first writer has opened the FIFO.
    fn show(&self, mut events: Events) -> Events {
        if events.contains(Events::HUP)
            && let Some(partner) = self.partner
        {
            let state = self.pipe.state.read();
            let has_hung_up = state.is_closed(End::Writer) && partner.has_opened_since(&state);
            events.set(Events::HUP, has_hung_up);
        }
        events
    }

    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        self.partner.is_none().then(|| (self.pipe.state.header(), self.mask))
    }
}
