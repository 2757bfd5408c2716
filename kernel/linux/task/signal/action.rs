//! What a process does about a signal: sigaction(2).

use bitflags::bitflags;

use rules::abi::signal::SigSet;

bitflags! {
    /// `sa_flags`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub(crate) struct Flags: u64 {
        const NOCLDSTOP = 1;
        const NOCLDWAIT = 2;
        const SIGINFO = 4;
        /// Addresses have no tags here that could be shown.
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

impl Default for SigActions {
    fn default() -> Self {
        Self([Action::default(); 64])
    }
}

/// The actions for all signals.
#[derive(Clone)]
pub(crate) struct SigActions(pub(crate) [Action; 64]);

impl SigActions {
    /// What is done about `signal`.
    pub(crate) fn get(&self, signal: rules::abi::signal::Signal) -> Action {
        self.0[usize::from(signal.number() - 1)]
    }

    /// Changes what is done about `signal`.
    pub(crate) fn set(&mut self, signal: rules::abi::signal::Signal, action: Action) {
        self.0[usize::from(signal.number() - 1)] = action;
    }

    /// execve(2): handlers are gone, what is ignored stays so.
    pub(crate) fn reset_handlers(&mut self) {
        for action in &mut self.0 {
            let handler = if action.handler == IGNORE { IGNORE } else { DEFAULT };
            *action = Action { handler, ..Action::default() };
        }
    }
}
