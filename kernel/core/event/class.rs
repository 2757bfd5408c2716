//! Classes of objects, and counters of what happens to objects of each.

use pollee::Count;

use crate::machine::per_cpu::{CPUS, CacheLines, Counter, PerCpu};
use crate::machine::trace::{self, Kind};

/// The class of an object; the counters of `/proc/pollee` have a line for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Class {
    Pipe,
    EventFd,
    TimerFd,
    SignalFd,
    PidFd,
    Inotify,
    Epoll,
    Console,
    Pty,
    Socket,
    /// The locks of flock(2), and the record locks of fcntl(2).
    FileLock,
    /// The files of one select(2) or poll(2): a spurious wake belongs to none of them alone.
    PollSet,
    /// Regular files, directories, and devices that are only memory: always ready, so nothing is counted.
    Inode,
}

impl Class {
    /// The number of classes.
    const NUMBER: usize = Self::Inode as usize + 1;

    /// The classes that have counters.
    pub(crate) const COUNTED: [Self; 12] = [
        Self::Pipe,
        Self::EventFd,
        Self::TimerFd,
        Self::SignalFd,
        Self::PidFd,
        Self::Inotify,
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
            Self::Inotify => "inotify",
            Self::Epoll => "epoll",
            Self::Console => "console",
            Self::Pty => "pty",
            Self::Socket => "socket",
            Self::FileLock => "flock",
            Self::PollSet => "pollset",
            Self::Inode => "inode",
        }
    }
}

/// How often each [`Count`] happened.
pub(crate) type Counts = [u64; Count::KINDS];

type Counters = [[Counter; Count::KINDS]; Class::NUMBER];

static COUNTERS: PerCpu<Counters> = PerCpu::new(
    [const { CacheLines([const { [const { Counter::new() }; Count::KINDS] }; Class::NUMBER]) }; CPUS],
);

/// Cache hits of one pass over thousands of files, added to the counters together when this is dropped.
#[derive(Default)]
pub(crate) struct Hits([u32; Class::NUMBER]);

impl Hits {
    #[inline]
    pub(crate) const fn add(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }
}

impl Drop for Hits {
    fn drop(&mut self) {
        for (class, hits) in Class::COUNTED.into_iter().zip(self.0).filter(|(_, hits)| *hits > 0) {
            add(class, Count::Hit, hits.into());
        }
    }
}

#[inline]
fn add(class: Class, what: Count, times: u64) {
    COUNTERS.get()[class as usize][what as usize].add(times);
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

/// Returns the counts of `class` on all CPUs since boot.
pub(crate) fn counts(class: Class) -> Counts {
    let mut sums = [0; Count::KINDS];
    for counters in COUNTERS.iter() {
        for (sum, counter) in sums.iter_mut().zip(&counters[class as usize]) {
            *sum += counter.get();
        }
    }
    sums
}
