//! TIOCGPTPEER of ioctl(2): the slave of a master, without its name.
//!
//! Source: ioctl_tty(2); Linux 6.1 drivers/tty/pty.c (`ptm_open_peer`).

use alloc::sync::Arc;
use core::any::Any;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::file::File;
use crate::linux::fs::devpts;
use crate::linux::fs::open::How;
use crate::linux::fs::opened::{OpenInode, Target};
use crate::linux::task::session;
use crate::linux::terminal::Terminal;
use crate::linux::terminal::pty::{Master, Slave};

/// Opens the slave of the master behind `file` with the flags of open(2).
///
/// # Errors
/// `ENOTTY`: it is no terminal. `EIO`: it is no master, or the slave is locked. `ENODEV`: no devpts is mounted. `EMFILE`, `ENOMEM`.
pub(super) fn open_peer(cx: &Context<'_>, file: &OpenFile, flags: usize) -> SysResult {
    let device = file.downcast::<OpenInode>().and_then(OpenInode::device);
    let Some(master) = device.and_then(|device| downcast::<Master>(device)) else {
        super::terminal(file)?;
        return Err(Errno::EIO);
    };
    let how = How::parse(flags as u32, 0)?;
    let files = cx.files();
    let reserved = files.reserve(Fd::new(0), cx.file_limit())?;
    let slave = master.open_slave()?;
    if !how.flags.contains(OpenFlags::NO_CONTROLLING_TTY) {
        session::connect_at_open(slave.terminal());
    }
    let opened = OpenInode::new(devpts::find(master.number())?, Target::Other(slave));
    let description = OpenFile::new(Arc::new(opened), how.access, how.flags)?;
    Ok(reserved.commit(description, OnExec::from_flags(how.flags)).index())
}

/// The terminal behind either end of a pair, and which end that is.
pub(super) fn terminal(device: &Arc<dyn File>) -> Option<(&Arc<Terminal>, Through)> {
    if let Some(master) = downcast::<Master>(device) {
        return Some((master.terminal(), Through::Master));
    }
    downcast::<Slave>(device).map(|slave| (slave.terminal(), Through::Terminal))
}

/// How a request came to a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Through {
    /// By itself.
    Terminal,
    /// By its master, who may ask of any session's.
    Master,
}

fn downcast<F: File>(device: &Arc<dyn File>) -> Option<&F> {
    let any: &dyn Any = &**device;
    any.downcast_ref()
}
