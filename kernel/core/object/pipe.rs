//! Pipes: the rules of [`rules::core::pipe`] behind a lock, and the two kinds of ends.
//!
//! Owns: the lock, and which events an end shows.   Not here: sleeping (`pollee::wait`), SIGPIPE (syscall/write).
//! Invariant: one open end of the rule for each living [`PipeEnd`].
//!
//! Both ends share one `Locked`: one change updates one word, whichever end is polled. An end masks what it registers for
//! and what it reports, so that a reader never hears of `POLLERR` nor a writer of `POLLHUP`.
//! Source: pipe(7); Linux 6.1 fs/pipe.c (`pipe_poll`, `pipe_release`).

pub(crate) mod fifo;
mod pool;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::Poll;

use pollee::{Events, Pollable, ReadinessHeader, ReadinessSource, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::core::pipe::{End, PAGE_SIZE, PipeMode, Privilege};

use self::fifo::FifoId;
use self::pool::PagePool;
use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::budget;
use crate::machine::memory::transfer::{Sink, Source};

/// A pipe, as long as one of its ends is open.
struct Pipe {
    state: event::Locked<rules::core::pipe::Pipe>,
    name: Name,
}

/// By what a pipe is known.
enum Name {
    /// By nothing; this is its inode's number.
    Anonymous(u64),
    /// By an inode of the tree.
    Fifo(FifoId),
}

/// A pipe, opened for reading, writing, or both.
pub(crate) struct PipeEnd {
    pipe: Arc<Pipe>,
    access: AccessMode,
    /// The events of this end.
    mask: Events,
    /// `O_DIRECT`: writes are packets. Looked at alone, so the atomic orders nothing.
    is_packetized: AtomicBool,
    /// Set if nobody was at the other side when this end was opened: how often that had been opened by then.
    partner: Option<PartnerSnapshot>,
}

/// The state of a side when its partner found nobody there.
#[derive(Clone, Copy)]
struct PartnerSnapshot {
    side: End,
    openings: u64,
}

/// Both ends of a pipe, opened.
pub(crate) struct Ends {
    /// For reading.
    pub(crate) reader: Arc<OpenFile>,
    /// For writing.
    pub(crate) writer: Arc<OpenFile>,
}

/// Makes a pipe and opens both of its ends. Of `flags`, `O_NONBLOCK` is for both and `O_DIRECT` for the writer.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(flags: OpenFlags) -> Result<Ends, Errno> {
    static NEXT_INODE: AtomicU64 = AtomicU64::new(1);
    budget::try_reserve(PAGE_SIZE)?;
    let pipe = Arc::new(Pipe::new(Name::Anonymous(NEXT_INODE.fetch_add(1, Ordering::Relaxed))));
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
    fn new(name: Name) -> Self {
        let state = event::Locked::new(Class::Pipe, rules::core::pipe::Pipe::new());
        Self { state, name }
    }
}

impl PipeEnd {
    fn open(pipe: Arc<Pipe>, access: AccessMode, flags: OpenFlags) -> Self {
        let partner = {
            let mut state = pipe.state.lock();
            sides(access).for_each(|side| state.open(side));
            let partner = sides(access).map(End::other).find(|side| state.is_closed(*side));
            // Nobody waits for the other end of a pipe without a name, nor is its hang-up kept from anybody.
            let partner = partner.filter(|_| !matches!(pipe.name, Name::Anonymous(_)));
            partner.map(|side| PartnerSnapshot { side, openings: state.openings(side) })
        };
        let is_packetized = AtomicBool::new(flags.contains(OpenFlags::DIRECT));
        let mask = sides(access).fold(Events::empty(), |mask, side| {
            mask | match side {
                End::Reader => Events::READABLE | Events::HUP,
                End::Writer => Events::WRITABLE | Events::ERR,
            }
        });
        Self { pipe, access, mask, is_packetized, partner }
    }

    /// Bytes that fit into the pipe.
    pub(crate) fn capacity(&self) -> usize {
        self.pipe.state.read().capacity()
    }

    /// Makes room for `bytes` and returns for how many there is room then.
    ///
    /// # Errors
    /// Those of [`rules::core::pipe::Pipe::set_capacity`]. `ENOMEM`: only the reserve is left.
    pub(crate) fn set_capacity(&self, bytes: usize, privilege: Privilege) -> Result<usize, Errno> {
        // The slots take a small part of what they hold.
        budget::try_reserve(bytes / 64)?;
        self.pipe.state.lock().set_capacity(bytes, privilege)
    }
}

impl PartnerSnapshot {
    /// Whether somebody has come to that side since.
    fn has_opened_since(self, state: &rules::core::pipe::Pipe) -> bool {
        state.openings(self.side) != self.openings
    }
}

/// The sides of a pipe that a description with `access` keeps open.
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
            // As on Linux even if no slot became free (`pipe_read`): an epoll keeps the order of such news.
            state.raise(Events::WRITABLE);
        }
        result
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let kind =
            if self.is_packetized.load(Ordering::Relaxed) { PipeMode::Packet } else { PipeMode::Stream };
        let mut state = self.pipe.state.lock();
        let result = state.write(from, kind, &mut PagePool);
        if let Poll::Ready(Ok(1..)) | Poll::Pending = result {
            // Edge-triggered readers hear of every write, not only of the first into an empty pipe: programs
            // count on that since Linux had it. It tells them of one that found no room, too (`pipe_write`).
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

    /// Whatever made a pipe readable, or freed a slot, lets any one reader or writer go on.
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
        let inode = match self.pipe.name {
            Name::Anonymous(number) => number,
            Name::Fifo(id) => id.inode,
        };
        Stat { inode, links: 1, mode, block_size: 4096, ..Stat::default() }
    }

    fn set_status(&self, status: OpenFlags) -> Result<(), Errno> {
        self.is_packetized.store(status.contains(OpenFlags::DIRECT), Ordering::Relaxed);
        Ok(())
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.pipe.state.read().unread())
    }
}

/// The end's own events, of those of the pipe.
impl Pollable<Pollux> for PipeEnd {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &self.pipe.state
    }

    fn source_interest(&self, interest: Events) -> Events {
        interest & self.mask
    }

    /// Nobody has hung up before the first writer came.
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
