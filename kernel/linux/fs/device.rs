//! Device numbers and the drivers behind them.
//!
//! Owns: the table from numbers to drivers, which `start` fills.   Not here: the drivers; the kernel's own memory
//! devices are in `fs/device`'s files.
//! Source: mknod(2); Linux 6.1 Documentation/admin-guide/devices.txt.

pub(crate) mod memory;
pub(crate) mod nodes;
pub(crate) mod random;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::linux::abi::device::DeviceNumber;

use super::tmpfs::inode::DeviceKind;
use crate::core::file::traits::File;

/// Opens a device; an error is what open(2) returns.
pub(crate) type Opener = fn(DeviceNumber, OpenFlags) -> Result<Arc<dyn File>, Errno>;

static CHARACTER_DEVICES: SpinLock<BTreeMap<DeviceNumber, Opener>> = SpinLock::new(BTreeMap::new());

/// Lets `opener` open the character device with that number from now on.
pub(crate) fn register(device: DeviceNumber, opener: Opener) {
    CHARACTER_DEVICES.lock().insert(device, opener);
}

/// Drivers of all devices with one major number.
static MAJORS: SpinLock<BTreeMap<u32, Opener>> = SpinLock::new(BTreeMap::new());

/// Lets `opener` open all character devices with that major number that nobody has by number.
pub(crate) fn register_major(major: u32, opener: Opener) {
    MAJORS.lock().insert(major, opener);
}

/// Opens the device that a node stands for.
///
/// # Errors
/// `ENXIO`: no driver for it; there is none for block devices at all. Those of the driver.
pub(crate) fn open(kind: DeviceKind, device: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    if kind == DeviceKind::Block {
        return Err(Errno::ENXIO);
    }
    let exact = CHARACTER_DEVICES.lock().get(&device).copied();
    let opener = exact.or_else(|| MAJORS.lock().get(&device.major).copied()).ok_or(Errno::ENXIO)?;
    opener(device, flags)
}
