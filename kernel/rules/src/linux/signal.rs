//! Whether a signal that is sent has any effect.
//!
//! Owns: what is kept, and what is dropped at once.   Not here: pending signals and handlers (linux/task/signal).
//! Source: signal(7); Linux 6.1 kernel/signal.c (`sig_ignored`, `sig_task_ignored`, `do_notify_parent`).

use crate::abi::signal::Signal;

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// `SIG_DFL`.
    Default,
    /// `SIG_IGN`.
    Ignore,
    /// A handler runs.
    Handle,
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Receiver {
    /// Process 1, which nobody ends: the default of no signal applies to it.
    Init,
    /// Any other process.
    Ordinary,
}

impl Disposition {
    /// Returns whether a signal is forgotten if it becomes pending now.
    #[must_use]
    pub fn ignores(self, signal: Signal) -> bool {
        match self {
            Self::Default => signal.is_ignored_by_default(),
            Self::Ignore => true,
            Self::Handle => false,
        }
    }

    /// Returns whether a `signal` that is sent becomes pending. One that the receiver blocks always does, because the
    /// disposition may be another one when it is taken, and sigtimedwait(2) and signalfds take it whatever that is.
    #[must_use]
    pub fn keeps(self, signal: Signal, receiver: Receiver, is_blocked: bool) -> bool {
        if is_blocked {
            return true;
        }
        match receiver {
            Receiver::Init if self == Self::Default => false,
            _ => signal.is_absolute() || !self.ignores(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Disposition, Receiver};
    use crate::abi::signal::Signal;

    #[test]
    fn what_is_blocked_is_kept_whatever_the_disposition() {
        for disposition in [Disposition::Default, Disposition::Ignore, Disposition::Handle] {
            for receiver in [Receiver::Init, Receiver::Ordinary] {
                assert!(disposition.keeps(Signal::CHLD, receiver, true));
            }
        }
    }

    #[test]
    fn init_is_sent_only_what_it_handles() {
        for signal in [Signal::KILL, Signal::STOP, Signal::INT, Signal::CHLD, Signal::SEGV] {
            assert!(!Disposition::Default.keeps(signal, Receiver::Init, false));
        }
        assert!(Disposition::Handle.keeps(Signal::INT, Receiver::Init, false));
        assert!(!Disposition::Ignore.keeps(Signal::INT, Receiver::Init, false));
    }

    #[test]
    fn others_are_sent_what_their_disposition_does_not_ignore() {
        assert!(Disposition::Default.keeps(Signal::INT, Receiver::Ordinary, false));
        assert!(!Disposition::Default.keeps(Signal::CHLD, Receiver::Ordinary, false));
        assert!(!Disposition::Ignore.keeps(Signal::INT, Receiver::Ordinary, false));
        assert!(Disposition::Handle.keeps(Signal::CHLD, Receiver::Ordinary, false));
        assert!(Disposition::Default.keeps(Signal::KILL, Receiver::Ordinary, false));
    }
}
