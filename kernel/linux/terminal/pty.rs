//! Pseudo-terminals: a terminal whose wire is a file, the master.
//!
//! Owns: the numbers of the pairs, and which events each end shows.   Not here: their rules (rules::linux::pty), the names in
//! `/dev/pts` (`fs/devpts`), which whoever makes a pair hands in.
//! Invariant: one open slave of the rule for each living [`Slave`]; a number is free when its master is gone.
//! Locks: the table of pairs, a leaf.
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

/// How many pairs there can be: Linux's default for `/proc/sys/kernel/pty/max`.
pub(crate) const MAX: u32 = 4096;

/// The device of a slave.
pub(crate) const fn device(number: u32) -> DeviceNumber {
    DeviceNumber::new(MAJOR, number)
}

/// The slaves' major number.
pub(crate) const MAJOR: u32 = 136;

/// The pairs whose master is open.
static PAIRS: SpinLock<BTreeMap<u32, Weak<Terminal>>> = SpinLock::new(BTreeMap::new());

/// Makes a pair, whose slave is locked, with the lowest free number; `release` is called with the number when the
/// master is closed.
///
/// # Errors
/// `ENOSPC`: all numbers are taken. `ENOMEM`: only the reserve is left.
pub(crate) fn create(release: fn(u32)) -> Result<Arc<Master>, Errno> {
    /// What the queues of a pair can take.
    const SIZE: usize = 16 * 1024;
    budget::try_reserve(SIZE)?;
    let mut pairs = PAIRS.lock();
    let number = (0..MAX).find(|number| !pairs.contains_key(number)).ok_or(Errno::ENOSPC)?;
    let terminal = Arc::new(Terminal::pseudo(device(number)));
    pairs.insert(number, Arc::downgrade(&terminal));
    drop(pairs);
    Ok(Arc::new(Master::new(terminal, number, release)))
}

/// Opens the slave with that number.
///
/// # Errors
/// `EIO`: there is no such pair any more, or its slave is locked.
pub(crate) fn open(number: u32) -> Result<Arc<Slave>, Errno> {
    let terminal = PAIRS.lock().get(&number).and_then(Weak::upgrade).ok_or(Errno::EIO)?;
    Slave::open(&terminal)
}
