//! Signal dispositions: sigaction(2).

use bitflags::bitflags;

use rules::abi::signal::{SigSet, Signal};
use rules::linux::signal::Disposition;

bitflags! {
    /// `sa_flags`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub(crate) struct Flags: u64 {
        const NOCLDSTOP = 1;
        const NOCLDWAIT = 2;
        const SIGINFO = 4;
        /// `SA_EXPOSE_TAGBITS`: addresses have no tag bits here.
        const EXPOSE_TAGBITS = 0x800;
        const RESTORER = 0x0400_0000;
        const ONSTACK = 0x0800_0000;
        const RESTART = 0x1000_0000;
        const NODEFER = 0x4000_0000;
        const RESETHAND = 0x8000_0000;
    }
}

/// `SIG_DFL`.
pub(crate) const DEFAULT: usize = 0;
/// `SIG_IGN`.
pub(crate) const IGNORE: usize = 1;

/// `struct sigaction` of the kernel's ABI.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: Flags,
    pub(crate) restorer: usize,
    pub(crate) mask: SigSet,
}

impl Action {
    /// Returns what the process does with the signal.
    pub(crate) const fn disposition(&self) -> Disposition {
        match self.handler {
            DEFAULT => Disposition::Default,
            IGNORE => Disposition::Ignore,
            _ => Disposition::Handle,
        }
    }
}

impl Default for SigActions {
    fn default() -> Self {
        Self([Action::default(); 64])
    }
}

/// The dispositions of all signals.
#[derive(Clone)]
pub(crate) struct SigActions(pub(crate) [Action; 64]);

impl SigActions {
    /// Returns the disposition of `signal`.
    pub(crate) fn get(&self, signal: Signal) -> Action {
        self.0[usize::from(signal.number() - 1)]
    }

    /// Sets the disposition of `signal`.
    pub(crate) fn set(&mut self, signal: Signal, action: Action) {
        self.0[usize::from(signal.number() - 1)] = action;
    }

    /// Resets handlers to the default, for execve(2). Ignored signals stay ignored.
    pub(crate) fn reset_handlers(&mut self) {
        for action in &mut self.0 {
            let handler = if action.handler == IGNORE { IGNORE } else { DEFAULT };
            *action = Action { handler, ..Action::default() };
        }
    }
}
