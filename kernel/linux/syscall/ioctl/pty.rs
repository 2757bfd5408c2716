//! TIOCGPTPEER of ioctl(2): opens the slave of a master without its name.
//!
//! Source: ioctl_tty(2); Linux 6.1 drivers/tty/pty.c (`ptm_open_peer`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::linux::fs::devpts;
use crate::linux::fs::open::{OpenHow, Opened};
use crate::linux::terminal::Terminal;
use crate::linux::terminal::pty::{Master, Slave};
use crate::linux::terminal::session;

/// Opens the slave of the master behind `file` with the flags of open(2).
///
/// # Errors
/// `ENOTTY`: not a terminal. `EIO`: not a master, or the slave is locked. `ENODEV`: no devpts is mounted. `EMFILE`,
/// `ENOMEM`.
pub(super) fn open_peer(cx: &Context<'_>, file: &OpenFile, flags: usize) -> SysResult {
    let Some(master) = file.downcast::<Master>() else {
        super::terminal(file)?;
        return Err(Errno::EIO);
    };
    let how = OpenHow::parse(flags as u32, 0)?;
    let files = cx.files();
    let reserved = files.reserve(Fd::new(0), cx.file_limit())?;
    let slave = master.open_slave()?;
    if !how.flags.contains(OpenFlags::NO_CONTROLLING_TTY) {
        session::connect_at_open(slave.terminal());
    }
    let opened = Opened { location: devpts::find(master.number())?, file: slave };
    let description = opened.describe(how.access, how.flags)?;
    Ok(reserved.commit(description, OnExec::from_flags(how.flags)).index())
}

/// Returns the terminal behind either end of a pseudoterminal, and which end it is.
pub(super) fn terminal(file: &OpenFile) -> Option<(&Arc<Terminal>, TerminalEnd)> {
    if let Some(master) = file.downcast::<Master>() {
        return Some((master.terminal(), TerminalEnd::Master));
    }
    file.downcast::<Slave>().map(|slave| (slave.terminal(), TerminalEnd::Terminal))
}

/// The end through which a request was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TerminalEnd {
    /// The terminal itself.
    Terminal,
    /// The master, which may ask about any session's terminal.
    Master,
}
