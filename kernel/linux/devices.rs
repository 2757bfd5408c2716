//! Registers the drivers of terminals. The tree of files lies below terminals and does not know them.

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::credentials::Credentials;

use crate::core::file::traits::File;
use crate::linux::fs::device::{self, nodes};
use crate::linux::fs::devpts;
use crate::linux::serial;
use crate::linux::task::thread;
use crate::linux::terminal::Terminal;
use crate::linux::terminal::{pty, session};

/// Registers terminals as devices; called once at boot.
pub(crate) fn register() {
    for port in 0..4 {
        device::register(nodes::serial(port), open_serial);
    }
    // As on Linux, opening the console does not make it a controlling terminal.
    device::register(nodes::CONSOLE, |_, _| Ok(open_port(0)?));
    device::register(nodes::TTY, |_, _| session::own_terminal().ok_or(Errno::ENXIO)?.open());
    device::register(nodes::PTMX, |_, _| open_ptmx());
    device::register_major(pty::MAJOR, open_slave);
}

fn open_serial(device: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let terminal = open_port(device.minor - nodes::serial(0).minor)?;
    if !flags.contains(OpenFlags::NO_CONTROLLING_TTY) {
        session::connect_at_open(&terminal);
    }
    Ok(terminal)
}

fn open_port(port: u32) -> Result<Arc<Terminal>, Errno> {
    serial::open(port as usize)
}

fn open_ptmx() -> Result<Arc<dyn File>, Errno> {
    let master = pty::create()?;
    let opener = thread::current().map(|thread| thread.process().credentials.lock().clone());
    devpts::add(master.number(), pty::device(master.number()), &opener.unwrap_or(Credentials::ROOT))?;
    Ok(master)
}

fn open_slave(device: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let slave = pty::open(device.minor)?;
    if !flags.contains(OpenFlags::NO_CONTROLLING_TTY) {
        session::connect_at_open(slave.terminal());
    }
    Ok(slave)
}
