//! Signals that were sent and not yet delivered, and what is known of each.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::action::SigActions;
use super::set::{SigSet, Signal};

/// Real-time signals that may be queued at a time for one receiver.
const QUEUE_MOST: usize = 1024;

/// Why a signal was sent: the parts of `siginfo_t` that differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    pub(crate) signal: Signal,
    /// `si_code`.
    pub(crate) code: i32,
    /// The 16 bytes behind the head: pid and uid and status, or the fault's address.
    pub(crate) words: [u64; 2],
    /// `si_value`, or the status for `SIGCHLD`.
    pub(crate) value: u64,
}

/// `SI_USER`.
pub(crate) const SI_USER: i32 = 0;
/// `SI_KERNEL`.
pub(crate) const SI_KERNEL: i32 = 0x80;
/// `SI_TKILL`.
pub(crate) const SI_TKILL: i32 = -6;

impl Info {
    /// Sent by the kernel without details.
    pub(crate) fn kernel(signal: Signal) -> Self {
        Self { signal, code: SI_KERNEL, words: [0; 2], value: 0 }
    }

    /// Sent by a process.
    pub(crate) fn user(signal: Signal, code: i32, pid: u32, uid: u32) -> Self {
        Self { signal, code, words: [u64::from(pid) | u64::from(uid) << 32, 0], value: 0 }
    }

    /// Caused by an instruction.
    pub(crate) fn fault(signal: Signal, code: i32, addr: usize) -> Self {
        Self { signal, code, words: [addr as u64, 0], value: 0 }
    }
}

/// Signals that wait. Standard ones are kept once each, real-time ones in the order they came.
#[derive(Default)]
pub(crate) struct Pending {
    signals: SigSet,
    infos: VecDeque<Info>,
}

impl Pending {
    /// The signals that wait.
    pub(crate) fn signals(&self) -> SigSet {
        self.signals
    }

    /// Adds one; what does not fit any more is dropped, as for a full queue of Linux.
    pub(crate) fn add(&mut self, info: Info) {
        let is_standard = info.signal.number() < 32;
        if (is_standard && self.signals.contains(info.signal)) || self.infos.len() >= QUEUE_MOST {
            return;
        }
        self.signals = self.signals.with(info.signal);
        self.infos.push_back(info);
    }

    /// Takes the first of those in `allowed`.
    pub(crate) fn take(&mut self, allowed: SigSet) -> Option<Info> {
        let signal = self.signals.intersection(allowed).first()?;
        let at = self.infos.iter().position(|info| info.signal == signal)?;
        let info = self.infos.remove(at)?;
        if !self.infos.iter().any(|info| info.signal == signal) {
            self.signals = self.signals.without(SigSet::EMPTY.with(signal));
        }
        Some(info)
    }

    /// Drops `signals`.
    pub(crate) fn discard(&mut self, signals: SigSet) {
        self.signals = self.signals.without(signals);
        self.infos.retain(|info| !signals.contains(info.signal));
    }
}

/// sigaltstack(2): where handlers run that ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AltStack {
    pub(crate) start: usize,
    pub(crate) size: usize,
}

/// A thread's part.
#[derive(Default)]
pub(crate) struct ThreadSignals {
    /// Blocked signals.
    pub(crate) mask: SigSet,
    /// The mask to be restored when the next handler returns: sigsuspend(2), ppoll(2) and their kin.
    pub(crate) saved_mask: Option<SigSet>,
    pub(crate) pending: Pending,
    pub(crate) alt_stack: AltStack,
}

/// The process's part.
pub(crate) struct ProcessSignals {
    pub(crate) actions: Box<SigActions>,
    pub(crate) pending: Pending,
    /// When `SIGALRM` is due, and how often after.
    pub(crate) is_stopped: bool,
}

impl ProcessSignals {
    pub(crate) fn new() -> Self {
        Self { actions: Box::default(), pending: Pending::default(), is_stopped: false }
    }

    /// What fork(2) copies: the actions, and nothing that is pending.
    pub(crate) fn for_child(&self) -> Self {
        Self { actions: self.actions.clone(), ..Self::new() }
    }
}
