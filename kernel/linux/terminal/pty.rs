//! Pseudoterminals: terminals whose wire is a file, the master.
//!
//! Owns: the pseudoterminals' numbers, and the events of each end.   Not here: their rules (rules::linux::pty), the
//! names in `/dev/pts` (`fs/devpts`).
//! Invariant: the rule counts one open slave for each living [`Slave`]; a number is free once its master is closed.
//! Locks: the table of pseudoterminals, a leaf.
//! Source: pty(7), pts(4), ioctl_tty(2); Linux 6.1 drivers/tty/pty.c, drivers/tty/tty_io.c (`hung_up_tty_fops`).

mod end;
mod master;
mod slave;

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::linux::abi::device::DeviceNumber;

pub(super) use self::end::Side;
pub(crate) use self::master::Master;
pub(crate) use self::slave::Slave;
use super::Terminal;
use crate::machine::memory::budget;

/// The most pseudoterminals: Linux's default for `/proc/sys/kernel/pty/max`.
pub(crate) const MAX: u32 = 4096;

/// Returns the device number of a slave.
pub(crate) const fn device(number: u32) -> DeviceNumber {
    DeviceNumber::new(MAJOR, number)
}

/// The slaves' major number.
pub(crate) const MAJOR: u32 = 136;

/// Pseudoterminals whose master is open, by number.
static PAIRS: SpinLock<BTreeMap<u32, Weak<Terminal>>> = SpinLock::new(BTreeMap::new());

/// Creates a pseudoterminal with the lowest free number and a locked slave. It has no name yet.
///
/// # Errors
/// Nothing was created. `ENOSPC`: all numbers are used. `ENOMEM`: only the emergency reserve is left.
pub(crate) fn create() -> Result<Arc<Master>, Errno> {
    /// The size of each queue in bytes.
    const SIZE: usize = 16 * 1024;
    let _grant = budget::grant(SIZE)?;
    let mut pairs = PAIRS.lock();
    let number = (0..MAX).find(|number| !pairs.contains_key(number)).ok_or(Errno::ENOSPC)?;
    let terminal = Arc::new(Terminal::pseudo(device(number)));
    pairs.insert(number, Arc::downgrade(&terminal));
    drop(pairs);
    Ok(Arc::new(Master::new(terminal, number)))
}

/// Opens the slave with that number.
///
/// # Errors
/// `EIO`: its master is closed, or the slave is locked.
pub(crate) fn open(number: u32) -> Result<Arc<Slave>, Errno> {
    let terminal = PAIRS.lock().get(&number).and_then(Weak::upgrade).ok_or(Errno::EIO)?;
    Slave::open(&terminal)
}
