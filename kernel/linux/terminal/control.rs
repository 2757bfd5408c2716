//! Whose terminal it is: job control.
//!
//! Owns: the terminal's session and its foreground process group.   Not here: who is in which group, what a signal
//! does (`task`, which `start` hands in with [`provide`]).
//! Source: credentials(7), ioctl_tty(2), tcsetpgrp(3); Linux 6.1 drivers/tty/tty_jobctrl.c.

use rules::abi::errno::Errno;
use rules::linux::tty::Signal;
use spin::Once;

use super::Terminal;

/// Whom a terminal belongs to; 0 is nobody.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Owner {
    /// The session whose controlling terminal it is.
    pub(crate) session: u32,
    /// The process group that may read, and that gets the signals of special characters.
    pub(crate) foreground: u32,
}

/// What a process in the background may have to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Use {
    /// Reading: `SIGTTIN`.
    Read,
    /// Changing the settings, and writing with `TOSTOP`: `SIGTTOU`.
    Change,
}

/// What `task` knows of processes.
#[derive(Clone, Copy)]
pub(crate) struct Provider {
    /// Sends the signal of a special character to a process group.
    pub(crate) signal: fn(group: u32, signal: Signal),
    /// The terminal of this owner is gone for good.
    pub(crate) hang_up: fn(owner: Owner),
    /// Whether the calling process may do that with a terminal of this owner now; if not, it got a signal.
    pub(crate) admit: fn(owner: Owner, what: Use) -> Result<(), Errno>,
}

static PROVIDER: Once<Provider> = Once::new();

/// Tells terminals whom to ask. Until then everybody may do everything, and no signal is sent.
pub(crate) fn provide(provider: Provider) {
    PROVIDER.call_once(|| provider);
}

/// Signals a process group, if there is one.
pub(super) fn signal(group: u32, signal: Signal) {
    if group != 0
        && let Some(provider) = PROVIDER.get()
    {
        (provider.signal)(group, signal);
    }
}

/// Tells a session that it has lost its terminal, if it was one's.
pub(super) fn hang_up(owner: Owner) {
    if owner.session != 0
        && let Some(provider) = PROVIDER.get()
    {
        (provider.hang_up)(owner);
    }
}

impl Terminal {
    /// Whom it belongs to.
    pub(crate) fn owner(&self) -> Owner {
        self.state.read().owner
    }

    /// Gives it to somebody.
    pub(crate) fn set_owner(&self, owner: Owner) {
        self.state.lock().owner = owner;
    }

    /// Whether the caller may use it so.
    ///
    /// # Errors
    /// `EINTR`: a signal says that it may not now; the call is begun again afterwards. `EIO`: nobody could ever let it.
    pub(super) fn admit(&self, what: Use) -> Result<(), Errno> {
        let owner = self.owner();
        match PROVIDER.get() {
            Some(provider) if owner.session != 0 => (provider.admit)(owner, what),
            _ => Ok(()),
        }
    }
}
