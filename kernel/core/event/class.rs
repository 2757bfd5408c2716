//! Classes of objects, and how often what happened to them.
//!
//! Each CPU counts for itself with plain loads and stores: the kernel does not leave a CPU in the middle of
//! one, and no interrupt handler counts. More CPUs than [`CPUS`] share cells and may lose counts.

use core::sync::atomic::{AtomicU64, Ordering};

use ostd::cpu::CpuId;
use pollee::Count;

use crate::core::event::trace::{self, Kind};

/// What kind of object an event belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Class {
    Pipe,
    EventFd,
    TimerFd,
    SignalFd,
    PidFd,
    Epoll,
    Console,
    Pty,
    Socket,
    /// The locks of flock(2), and the record locks of fcntl(2).
    FileLock,
    /// The files of one select or poll: wakes that find nothing belong to none of them alone.
    PollSet,
}

impl Class {
    pub(crate) const ALL: [Self; 11] = [
        Self::Pipe,
        Self::EventFd,
        Self::TimerFd,
        Self::SignalFd,
        Self::PidFd,
        Self::Epoll,
        Self::Console,
        Self::Pty,
        Self::Socket,
        Self::FileLock,
        Self::PollSet,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::EventFd => "eventfd",
            Self::TimerFd => "timerfd",
            Self::SignalFd => "signalfd",
            Self::PidFd => "pidfd",
            Self::Epoll => "epoll",
            Self::Console => "console",
            Self::Pty => "pty",
            Self::Socket => "socket",
            Self::FileLock => "flock",
            Self::PollSet => "pollset",
        }
    }
}

/// How often each [`Count`] happened.
pub(crate) type Counts = [u64; Count::KINDS];

const CPUS: usize = 64;

/// One CPU's cells, on cache lines of their own.
#[repr(align(64))]
struct Cells([[AtomicU64; Count::KINDS]; Class::ALL.len()]);

static CELLS: [Cells; CPUS] =
    [const { Cells([const { [const { AtomicU64::new(0) }; Count::KINDS] }; Class::ALL.len()]) }; CPUS];

/// Answers from the cache that are still to be counted: together, when this is dropped, for those who ask thousands of
/// files.
#[derive(Default)]
pub(crate) struct Hits([u32; Class::ALL.len()]);

impl Hits {
    #[inline]
    pub(crate) const fn add(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }
}

impl Drop for Hits {
    fn drop(&mut self) {
        for (class, hits) in Class::ALL.into_iter().zip(self.0).filter(|(_, hits)| *hits > 0) {
            add(class, Count::Hit, hits.into());
        }
    }
}

#[inline]
fn add(class: Class, what: Count, times: u64) {
    let cpu = u32::from(CpuId::current_racy()) as usize % CPUS;
    let cell = &CELLS[cpu].0[class as usize][what as usize];
    cell.store(cell.load(Ordering::Relaxed) + times, Ordering::Relaxed);
}

/// Counts one `what` for `class`.
#[inline]
pub(crate) fn count(class: Class, what: Count) {
    add(class, what, 1);
    match what {
        Count::NotifyWatched => trace::event(Kind::Notify, 0, class as usize),
        Count::SpuriousWake => trace::event(Kind::SpuriousWake, 0, class as usize),
        _ => {}
    }
}

/// The counts of `class` on all CPUs, since the start.
pub(crate) fn counts(class: Class) -> Counts {
    let mut sums = [0; Count::KINDS];
    for cells in &CELLS {
        for (sum, cell) in sums.iter_mut().zip(&cells.0[class as usize]) {
            *sum += cell.load(Ordering::Relaxed);
        }
    }
    sums
}
