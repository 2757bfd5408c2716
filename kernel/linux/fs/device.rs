//! Device numbers and the drivers behind them.
//!
//! Owns: the table from device numbers to drivers, which `start` fills.   Not here: the drivers; those of memory and
//! random devices are in `fs/device`.
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
use crate::machine::memory::transfer::Sink;
use crate::machine::pause::pause_unless_killed;

/// Opens a device; open(2) returns its errors.
pub(crate) type Opener = fn(DeviceNumber, OpenFlags) -> Result<Arc<dyn File>, Errno>;

static CHARACTER_DEVICES: SpinLock<BTreeMap<DeviceNumber, Opener>> = SpinLock::new(BTreeMap::new());

/// Registers `opener` for the character device with that number.
pub(crate) fn register(device: DeviceNumber, opener: Opener) {
    CHARACTER_DEVICES.lock().insert(device, opener);
}

/// Drivers of all devices with a major number.
static MAJORS: SpinLock<BTreeMap<u32, Opener>> = SpinLock::new(BTreeMap::new());

/// Registers `opener` for the character devices with that major number that have no driver of their own.
pub(crate) fn register_major(major: u32, opener: Opener) {
    MAJORS.lock().insert(major, opener);
}

/// Opens the device that a node stands for.
///
/// # Errors
/// `ENXIO`: the device has no driver; block devices have none at all. Those of the driver.
pub(crate) fn open(kind: DeviceKind, device: DeviceNumber, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    if kind == DeviceKind::Block {
        return Err(Errno::ENXIO);
    }
    let exact = CHARACTER_DEVICES.lock().get(&device).copied();
    let opener = exact.or_else(|| MAJORS.lock().get(&device.major).copied()).ok_or(Errno::ENXIO)?;
    opener(device, flags)
}

/// Fills a sink with `put`, at most `block` bytes at a time; `put` returns how many bytes it wrote. Once the current
/// thread must end, the rest stays as it is.
///
/// # Errors
/// `EFAULT`: not even one byte could be written.
fn fill(
    to: &mut dyn Sink,
    block: usize,
    mut put: impl FnMut(&mut dyn Sink, usize) -> usize,
) -> Result<usize, Errno> {
    /// As many as take 100 microseconds to make up.
    const PAUSE: usize = 4096;
    let mut done = 0;
    while to.remaining() > 0 {
        let wanted = to.remaining().min(block);
        let count = put(to, wanted);
        done += count;
        if count < wanted {
            return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
        }
        if done % PAUSE < count && pause_unless_killed().is_err() {
            break;
        }
    }
    Ok(done)
}
