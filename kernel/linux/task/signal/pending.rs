//! Pending signals, with their `siginfo_t`.
//!
//! Why: decision 0030.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::super::usage::Usage;
use super::action::SigActions;
use super::job::Change;
use rules::abi::signal::{SigSet, Signal};
use rules::machine::fallible;

/// The parts of a `siginfo_t` that vary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    pub(crate) signal: Signal,
    /// `si_errno`, which only programs set.
    pub(crate) errno: i32,
    /// `si_code`.
    pub(crate) code: i32,
    /// The words behind the 16-byte head; `code` determines their meaning.
    pub(crate) fields: [u64; 4],
    /// Whether a timer sent the signal. The code alone does not prove it: programs may pass any negative code.
    pub(crate) is_timers: bool,
}

/// `SI_USER`.
pub(crate) const SI_USER: i32 = 0;
/// `SI_KERNEL`.
pub(crate) const SI_KERNEL: i32 = 0x80;
/// `SI_TIMER`.
pub(crate) const SI_TIMER: i32 = -2;
/// `SI_TKILL`.
pub(crate) const SI_TKILL: i32 = -6;
/// `CLD_EXITED`.
pub(crate) const CLD_EXITED: i32 = 1;
/// `CLD_KILLED`.
pub(crate) const CLD_KILLED: i32 = 2;
/// `CLD_STOPPED`.
pub(crate) const CLD_STOPPED: i32 = 5;
/// `CLD_CONTINUED`.
pub(crate) const CLD_CONTINUED: i32 = 6;

/// 64-bit words of `siginfo_t`.
pub(crate) const INFO_WORDS: usize = 16;
/// Nanoseconds per clock tick of `clock_t`.
const CLOCK_TICK_NANOS: u128 = 10_000_000;

impl Info {
    /// Makes the info of a signal that the kernel sends without details.
    pub(crate) fn kernel(signal: Signal) -> Self {
        Self { signal, errno: 0, code: SI_KERNEL, fields: [0; 4], is_timers: false }
    }

    /// Makes the info of a signal that a process sends.
    pub(crate) fn user(signal: Signal, code: i32, pid: u32, uid: u32) -> Self {
        let fields = [u64::from(pid) | u64::from(uid) << 32, 0, 0, 0];
        Self { signal, errno: 0, code, fields, is_timers: false }
    }

    /// Makes the info of a signal that a faulting instruction causes.
    pub(crate) fn fault(signal: Signal, code: i32, addr: usize) -> Self {
        Self { signal, errno: 0, code, fields: [addr as u64, 0, 0, 0], is_timers: false }
    }

    /// Makes the info of `SIGCHLD` for a child's change of state.
    pub(crate) fn child(code: i32, pid: u32, uid: u32, status: u32, usage: Usage) -> Self {
        let ticks = |time: core::time::Duration| (time.as_nanos() / CLOCK_TICK_NANOS) as u64;
        let ids = u64::from(pid) | u64::from(uid) << 32;
        let fields = [ids, status.into(), ticks(usage.user()), ticks(usage.system())];
        Self { signal: Signal::CHLD, errno: 0, code, fields, is_timers: false }
    }

    /// Makes the info of a timer_create(2) timer that expired, with its overrun count.
    pub(crate) fn timer(signal: Signal, id: u32, overrun: u32, value: u64) -> Self {
        let fields = [u64::from(id) | u64::from(overrun) << 32, value, 0, 0];
        Self { signal, errno: 0, code: SI_TIMER, fields, is_timers: true }
    }

    /// Returns the timer's ID and overrun count, if a timer sent the signal.
    pub(crate) fn of_timer(&self) -> Option<(u32, u32)> {
        self.is_timers.then_some((self.fields[0] as u32, (self.fields[0] >> 32) as u32))
    }

    /// Encodes the `siginfo_t`.
    pub(crate) fn to_words(self) -> [u64; INFO_WORDS] {
        let mut words = [0; INFO_WORDS];
        words[0] = u64::from(self.signal.number()) | u64::from(self.errno.cast_unsigned()) << 32;
        words[1] = self.code.cast_unsigned().into();
        words[2..6].copy_from_slice(&self.fields);
        words
    }
}

/// A set of pending signals: a standard signal is kept once, real-time signals queue in order.
///
/// A signal may be pending without an [`Info`], if there was no room for one.
#[derive(Default)]
pub(crate) struct Pending {
    signals: SigSet,
    infos: VecDeque<Info>,
}

impl Pending {
    /// Returns the pending signals.
    pub(crate) fn signals(&self) -> SigSet {
        self.signals
    }

    /// Returns whether `info` finds room within `most` (`RLIMIT_SIGPENDING`). Standard signals from the kernel or
    /// kill(2) always do, so that other senders cannot crowd them out.
    pub(crate) fn has_room(&self, info: &Info, most: u64) -> bool {
        let is_free = !info.signal.is_queued() && info.code >= 0 || info.of_timer().is_some();
        is_free || (self.infos.len() as u64) < most
    }

    /// Adds a signal. Without [room](Self::has_room) the signal becomes pending without its info
    /// (`__send_signal_locked`).
    pub(crate) fn add(&mut self, info: Info, most: u64) {
        if let Some((id, overrun)) = info.of_timer() {
            let of_same = |other: &&mut Info| other.of_timer().is_some_and(|(other, _)| other == id);
            if let Some(queued) = self.infos.iter_mut().find(of_same) {
                // timer_create(2): a timer queues one signal, with the count of expirations that it stands for.
                queued.fields[0] = queued.fields[0].saturating_add((u64::from(overrun) + 1) << 32);
                return;
            }
        }
        if self.signals.contains(info.signal) && !info.signal.is_queued() {
            return;
        }
        self.signals = self.signals.with(info.signal);
        if self.has_room(&info, most) && fallible::reserve(&mut self.infos, 1).is_ok() {
            self.infos.push_back(info);
        }
    }

    /// Returns the first pending signal in `allowed`.
    pub(crate) fn first(&self, allowed: SigSet) -> Option<Info> {
        let signal = self.signals.intersection(allowed).first()?;
        let known = self.infos.iter().find(|info| info.signal == signal);
        Some(known.copied().unwrap_or_else(|| Info::user(signal, SI_USER, 0, 0)))
    }

    /// Takes the first pending signal in `allowed`.
    pub(crate) fn take(&mut self, allowed: SigSet) -> Option<Info> {
        let info = self.first(allowed)?;
        if let Some(position) = self.infos.iter().position(|other| other.signal == info.signal) {
            self.infos.remove(position);
        }
        if !self.infos.iter().any(|other| other.signal == info.signal) {
            self.signals = self.signals.without(SigSet::EMPTY.with(info.signal));
        }
        Some(info)
    }

    /// Discards `signals`.
    pub(crate) fn discard(&mut self, signals: SigSet) {
        if self.signals.intersection(signals).is_empty() {
            return;
        }
        self.signals = self.signals.without(signals);
        self.infos.retain(|info| !signals.contains(info.signal));
    }
}

/// The alternate signal stack: sigaltstack(2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AltStack {
    pub(crate) start: usize,
    pub(crate) size: usize,
    /// `SS_AUTODISARM`: the stack is disarmed while a handler runs on it.
    pub(crate) is_disarmed_by_use: bool,
}

impl AltStack {
    /// Returns whether a stack pointer is inside.
    pub(crate) fn contains(self, pointer: usize) -> bool {
        // Strictly above the start: a stack pointer at the lowest byte belongs to what lies below.
        !self.is_disarmed_by_use && pointer > self.start && pointer - self.start <= self.size
    }
}

/// The signal state of one thread.
#[derive(Default)]
pub(crate) struct ThreadSignals {
    /// Blocked signals.
    pub(crate) mask: SigSet,
    /// The mask that the next handler's return restores: sigsuspend(2), ppoll(2) and others like them.
    pub(crate) saved_mask: Option<SigSet>,
    pub(crate) pending: Pending,
    pub(crate) alt_stack: AltStack,
    /// Error code, number and address of the last exception, for signal frames.
    pub(crate) exception: [u64; 3],
}

/// The signal state that a process's threads share.
pub(crate) struct ProcessSignals {
    pub(crate) actions: Box<SigActions>,
    pub(crate) pending: Pending,
    pub(crate) is_stopped: bool,
    /// The number of `SIGCONT`s sent: a stop signal that was taken before one has no effect after it.
    pub(crate) continues: u32,
    pub(crate) unreported: Option<Change>,
}

impl ProcessSignals {
    pub(crate) fn new() -> Self {
        Self {
            actions: Box::default(),
            pending: Pending::default(),
            is_stopped: false,
            continues: 0,
            unreported: None,
        }
    }

    /// Returns the state of a child after fork(2): the same actions, nothing pending.
    pub(crate) fn for_child(&self) -> Self {
        Self { actions: self.actions.clone(), ..Self::new() }
    }
}
