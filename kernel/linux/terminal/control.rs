//! Job control: which session and process group a terminal belongs to.
//!
//! Owns: the terminal's session and its foreground process group.   Not here: the members of groups (`task/session`),
//! the terminals of sessions (`terminal/session`).
//! Source: credentials(7), ioctl_tty(2), tcsetpgrp(3); Linux 6.1 drivers/tty/tty_jobctrl.c.

use rules::abi::errno::Errno;
use rules::linux::tty::TtySignal;

use super::Terminal;
use crate::linux::task::signal::action;
use crate::linux::task::{session, thread};
use rules::abi::signal::Signal;

/// The session and foreground process group of a terminal; 0 stands for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TerminalOwner {
    /// The session whose controlling terminal it is.
    pub(crate) session: u32,
    /// The foreground process group, which may read and gets the signals of special characters.
    pub(crate) foreground: u32,
}

/// A use of the terminal that is restricted in the background.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RestrictedUse {
    /// Reading: `SIGTTIN`.
    Read,
    /// Changing the settings, and writing with `TOSTOP`: `SIGTTOU`.
    Change,
}

/// Sends the signal of a special character to a process group, if there is one.
pub(super) fn signal(group: u32, special: TtySignal) {
    if group == 0 {
        return;
    }
    session::signal(
        group,
        match special {
            TtySignal::Interrupt => Signal::INT,
            TtySignal::Quit => Signal::QUIT,
            TtySignal::Suspend => Signal::TSTP,
            TtySignal::WindowChange => Signal::WINCH,
        },
    );
}

/// Checks whether the caller may use a terminal of this owner. If not, its process group is stopped, and the call is
/// restarted when the group continues.
///
/// # Errors
/// `EINTR`: the signal was sent. `EIO`: the group is orphaned, or the reader ignores the signal.
pub(crate) fn admit(owner: TerminalOwner, what: RestrictedUse) -> Result<(), Errno> {
    if owner.session == 0 {
        return Ok(());
    }
    let Some(thread) = thread::current() else { return Ok(()) };
    let process = thread.process();
    let group = process.group();
    if process.session() != owner.session || owner.foreground == 0 || group == owner.foreground {
        return Ok(());
    }
    let signal = match what {
        RestrictedUse::Read => Signal::TTIN,
        RestrictedUse::Change => Signal::TTOU,
    };
    let is_ignored = process.signals.lock().actions.get(signal).handler == action::IGNORE;
    if is_ignored || thread.signals.lock().mask.contains(signal) {
        return if what == RestrictedUse::Read { Err(Errno::EIO) } else { Ok(()) };
    }
    if session::is_orphaned(group) {
        return Err(Errno::EIO);
    }
    session::signal(group, signal);
    Err(Errno::EINTR)
}

impl Terminal {
    /// Returns its owner.
    pub(crate) fn owner(&self) -> TerminalOwner {
        self.state.read().owner
    }

    /// Sets its owner.
    pub(crate) fn set_owner(&self, owner: TerminalOwner) {
        self.state.lock().owner = owner;
    }

    /// Checks whether the caller may use it.
    ///
    /// # Errors
    /// As [`admit`]; after `EINTR` the call is restarted.
    pub(super) fn admit(&self, what: RestrictedUse) -> Result<(), Errno> {
        admit(self.owner(), what)
    }
}
