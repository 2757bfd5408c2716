//! Joins names in the tree to the objects behind them, which do not know of each other: devices and FIFOs.

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::credentials::Credentials;

use crate::core::file::traits::File;
use crate::core::object::pipe::fifo::{self, FifoId};
use crate::linux::fs;
use crate::linux::fs::device::{self, nodes};
use crate::linux::fs::devpts;
use crate::linux::serial;
use crate::linux::task::{session, thread};
use crate::linux::terminal::Terminal;
use crate::linux::terminal::control::{self, Provider};
use crate::linux::terminal::pty;

/// Lets terminals and FIFOs be opened; the start of the kernel calls it once.
pub(crate) fn register() {
    for port in 0..4 {
        device::register(nodes::serial(port), open_serial);
    }
    // As on Linux, the console does not become anybody's terminal by being opened.
    device::register(nodes::CONSOLE, |_, _| Ok(open_port(0)?));
    device::register(nodes::TTY, |_, _| session::own_terminal().ok_or(Errno::ENXIO)?.open());
    device::register(nodes::PTMX, |_, _| open_ptmx());
    device::register_major(pty::MAJOR, open_slave);
    control::provide(Provider {
        signal: session::signal,
        hang_up: session::hang_up_terminal,
        admit: session::admit,
    });
    fs::fifo::register(open_fifo);
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
    let master = pty::create(devpts::remove)?;
    let opener = thread::current().map(|thread| *thread.process().credentials.lock());
    devpts::add(master.number(), pty::device(master.number()), opener.unwrap_or(Credentials::ROOT))?;
    Ok(master)
}

fn open_slave(device: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let slave = pty::open(device.minor)?;
    if !flags.contains(OpenFlags::NO_CONTROLLING_TTY) {
        session::connect_at_open(slave.terminal());
    }
    Ok(slave)
}

fn open_fifo(inode: &Stat, access: AccessMode, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    fifo::open(FifoId { device: inode.device, inode: inode.inode }, access, flags)
}
