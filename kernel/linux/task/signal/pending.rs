//! Pending signals, with their `siginfo_t`.
//!
//! Why: decision 0030.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::super::usage::Usage;
use super::action::SigActions;
use super::job::Change;
use crate::machine::memory::account::Account;
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
    /// The timer that sent the signal. The code alone does not prove it: programs may pass any negative code.
    pub(crate) timer: Option<TimerMark>,
}

/// A timer of timer_create(2), and one setting of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TimerMark {
    pub(crate) id: u32,
    /// Tells the timer from an earlier one with its ID.
    pub(crate) serial: u32,
    /// Which timer_settime(2) armed it.
    pub(crate) setting: u32,
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
        Self { signal, errno: 0, code: SI_KERNEL, fields: [0; 4], timer: None }
    }

    /// Makes the info of a signal that a process sends.
    pub(crate) fn user(signal: Signal, code: i32, pid: u32, uid: u32) -> Self {
        let fields = [u64::from(pid) | u64::from(uid) << 32, 0, 0, 0];
        Self { signal, errno: 0, code, fields, timer: None }
    }

    /// Makes the info of a signal that a faulting instruction causes.
    pub(crate) fn fault(signal: Signal, code: i32, addr: usize) -> Self {
        Self { signal, errno: 0, code, fields: [addr as u64, 0, 0, 0], timer: None }
    }

    /// Makes the info of `SIGCHLD` for a child's change of state.
    pub(crate) fn child(code: i32, pid: u32, uid: u32, status: u32, usage: Usage) -> Self {
        let ticks = |time: core::time::Duration| (time.as_nanos() / CLOCK_TICK_NANOS) as u64;
        let ids = u64::from(pid) | u64::from(uid) << 32;
        let fields = [ids, status.into(), ticks(usage.user()), ticks(usage.system())];
        Self { signal: Signal::CHLD, errno: 0, code, fields, timer: None }
    }

    /// Makes the info of a timer_create(2) timer that expired.
    pub(crate) fn timer(signal: Signal, mark: TimerMark, value: u64) -> Self {
        Self { signal, errno: 0, code: SI_TIMER, fields: [mark.id.into(), value, 0, 0], timer: Some(mark) }
    }

    /// Adds to the overrun count of a signal that a timer sent.
    #[must_use]
    pub(crate) fn with_overrun(mut self, overrun: u32) -> Self {
        /// `DELAYTIMER_MAX`.
        const MOST: u64 = i32::MAX.unsigned_abs() as u64;
        let [id, before] = [self.fields[0] as u32, (self.fields[0] >> 32) as u32].map(u64::from);
        if self.timer.is_some() {
            self.fields[0] = id | (before + u64::from(overrun)).min(MOST) << 32;
        }
        self
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
    infos: VecDeque<Queued>,
}

/// The bound of queued signals: `RLIMIT_SIGPENDING`, which counts those of all processes of the receiver's user.
pub(crate) struct Room {
    pub(crate) account: Arc<Account>,
    pub(crate) most: u64,
}

/// A signal with its information, counted for the receiver's user.
struct Queued {
    info: Info,
    account: Arc<Account>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.account.signals.refund();
    }
}

impl Pending {
    /// Returns the pending signals.
    pub(crate) fn signals(&self) -> SigSet {
        self.signals
    }

    /// Returns whether `info` finds `room`. Standard signals from the kernel or
    /// kill(2) always do, so that other senders cannot crowd them out.
    pub(crate) fn has_room(info: &Info, room: &Room) -> bool {
        let is_free = !info.signal.is_queued() && info.code >= 0 || info.timer.is_some();
        is_free || (room.account.signals.used() as u64) < room.most
    }

    /// Adds a signal. Without [room](Self::has_room) the signal becomes pending without its info
    /// (`__send_signal_locked`).
    pub(crate) fn add(&mut self, info: Info, room: Room) {
        let identity = |mark: TimerMark| (mark.id, mark.serial);
        match info.timer.map(identity) {
            None if self.signals.contains(info.signal) && !info.signal.is_queued() => return,
            None => {}
            // A timer has one signal, which is queued even behind a standard signal that is pending (`send_sigqueue`).
            Some(timer) => {
                let is_same = |queued: &&mut Queued| queued.info.timer.map(identity) == Some(timer);
                if let Some(queued) = self.infos.iter_mut().find(is_same) {
                    queued.info = Info { timer: info.timer, ..queued.info.with_overrun(1) };
                    return;
                }
            }
        }
        self.signals = self.signals.with(info.signal);
        if Self::has_room(&info, &room)
            && fallible::reserve(&mut self.infos, 1).is_ok()
            && room.account.signals.charge(usize::MAX)
        {
            self.infos.push_back(Queued { info, account: room.account });
        }
    }

    /// Returns the first pending signal in `allowed`.
    pub(crate) fn first(&self, allowed: SigSet) -> Option<Info> {
        let signal = self.signals.intersection(allowed).first()?;
        let known = self.infos.iter().map(|queued| queued.info).find(|info| info.signal == signal);
        Some(known.unwrap_or_else(|| Info::user(signal, SI_USER, 0, 0)))
    }

    /// Takes the first pending signal in `allowed`.
    pub(crate) fn take(&mut self, allowed: SigSet) -> Option<Info> {
        let info = self.first(allowed)?;
        if let Some(position) = self.infos.iter().position(|other| other.info.signal == info.signal) {
            self.infos.remove(position);
        }
        if !self.infos.iter().any(|other| other.info.signal == info.signal) {
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
        self.infos.retain(|queued| !signals.contains(queued.info.signal));
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
    /// Signals that are blocked but for the time of sigtimedwait(2): Linux's `real_blocked`.
    pub(crate) awaited: SigSet,
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
    /// Whether a fault has ended the immunity of init, whose default no other signal reaches.
    pub(crate) is_vulnerable: bool,
}

impl ThreadSignals {
    /// Returns whether `signal` is blocked, or was when the thread began to wait for it.
    pub(crate) fn blocks(&self, signal: Signal) -> bool {
        self.mask.union(self.awaited).contains(signal)
    }
}

impl ProcessSignals {
    pub(crate) fn new() -> Self {
        Self {
            actions: Box::default(),
            pending: Pending::default(),
            is_stopped: false,
            continues: 0,
            unreported: None,
            is_vulnerable: false,
        }
    }

    /// Returns the state of a child after fork(2): the same actions, nothing pending.
    pub(crate) fn for_child(&self) -> Self {
        Self { actions: self.actions.clone(), ..Self::new() }
    }
}
