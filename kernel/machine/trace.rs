//! The last events of each CPU, for `/proc/trace` and for the message of a panic.
//!
//! Owns: a ring of events for each CPU.   Not here: totals (`core/event/class`), the text (`linux/proc/trace`).
//!
//! Writing takes no lock and never waits: a CPU writes to its own ring, and an interrupt handler that interrupts it
//! takes the next slot. A concurrent reader may see a half-written event: a trace is for human eyes, not for
//! programs.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::per_cpu::{CPUS, CacheLines, PerCpu};

/// How much is recorded: the command line's `trace=`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Level {
    /// Nothing.
    Off,
    /// Notifications of a watched file, sleeps, wakes, faults.
    Events,
    /// Also system calls and their results.
    Syscalls,
}

/// What happened. Each kind says what the event's number means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A thread entered a system call; its number.
    Enter,
    /// A thread left a system call; what it returned.
    Leave,
    /// An object notified its watchers; the object's class.
    Notify,
    /// A thread woke up and found nothing; the class of the object it waited for.
    SpuriousWake,
    /// A thread went to sleep; 0.
    Sleep,
    /// A thread runs again after a sleep; 1 if its time was up.
    Wake,
    /// A program caused an exception; the instruction's address.
    Fault,
}

/// Events that each CPU keeps.
const SLOTS: usize = 256;

struct Slot {
    /// The time-stamp counter.
    time: AtomicU64,
    /// The kind in the upper half, the thread in the lower.
    origin: AtomicU64,
    number: AtomicU64,
}

struct Ring {
    next: AtomicUsize,
    slots: [Slot; SLOTS],
}

static RINGS: PerCpu<Ring> = PerCpu::new([const { CacheLines(Ring::new()) }; CPUS]);

impl Ring {
    const fn new() -> Self {
        Self { next: AtomicUsize::new(0), slots: [const { Slot::new() }; SLOTS] }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Events as u8);

/// Records from now on as much as `level` says.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Records an event of the thread `tid`, or of an unknown thread (0).
#[inline]
pub(crate) fn event(kind: Kind, tid: u32, number: usize) {
    if LEVEL.load(Ordering::Relaxed) >= Level::Events as u8 {
        write(kind, tid, number);
    }
}

/// Records the entry to a system call, or the return from it.
#[inline]
pub(crate) fn syscall(kind: Kind, tid: u32, number: usize) {
    if LEVEL.load(Ordering::Relaxed) >= Level::Syscalls as u8 {
        write(kind, tid, number);
    }
}

fn write(kind: Kind, tid: u32, number: usize) {
    let ring = RINGS.get();
    let slot = &ring.slots[ring.next.fetch_add(1, Ordering::Relaxed) % SLOTS];
    slot.time.store(ostd::arch::read_tsc(), Ordering::Relaxed);
    slot.origin.store((kind as u64) << 32 | u64::from(tid), Ordering::Relaxed);
    slot.number.store(number as u64, Ordering::Relaxed);
}

/// A recorded event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The time-stamp counter.
    pub(crate) time: u64,
    /// The CPU that recorded it.
    pub(crate) cpu: usize,
    /// What happened.
    pub(crate) kind: Kind,
    /// The thread; 0: none, or unknown.
    pub(crate) tid: u32,
    /// What the kind says of it.
    pub(crate) number: u64,
}

/// Returns the events of all CPUs that are not overwritten yet, the oldest first.
pub(crate) fn all() -> Vec<Event> {
    let mut events: Vec<_> = (0..ostd::cpu::num_cpus()).flat_map(|cpu| last(cpu, SLOTS)).collect();
    events.sort_unstable_by_key(|event| event.time);
    events
}

/// Returns the last `most` events of one CPU, the oldest first. Allocates nothing, for a kernel that panics.
pub(crate) fn last(cpu: usize, most: usize) -> impl Iterator<Item = Event> {
    let ring = RINGS.of(cpu);
    let next = ring.next.load(Ordering::Relaxed);
    let first = next.saturating_sub(most.min(SLOTS));
    (first..next).filter_map(move |index| ring.slots[index % SLOTS].read(cpu))
}

impl Slot {
    const fn new() -> Self {
        Self { time: AtomicU64::new(0), origin: AtomicU64::new(0), number: AtomicU64::new(0) }
    }

    fn read(&self, cpu: usize) -> Option<Event> {
        use Kind::{Enter, Fault, Leave, Notify, Sleep, SpuriousWake, Wake};
        const KINDS: [Kind; 7] = [Enter, Leave, Notify, SpuriousWake, Sleep, Wake, Fault];
        let time = self.time.load(Ordering::Relaxed);
        let origin = self.origin.load(Ordering::Relaxed);
        let kind = *KINDS.get((origin >> 32) as usize)?;
        let number = self.number.load(Ordering::Relaxed);
        (time != 0).then_some(Event { time, cpu, kind, tid: origin as u32, number })
    }
}
