//! Joins the names in `/dev` to the objects behind them, which do not know of each other.

use alloc::sync::Arc;

use model::abi::device::DeviceNumber;
use model::abi::errno::Errno;
use model::abi::open::OpenFlags;

use crate::file::file::File;
use crate::fs::device::{self, nodes};
use crate::object::serial;

/// Lets the terminals be opened; the start of the kernel calls it once.
pub(crate) fn register() {
    for port in 0..4 {
        device::register(nodes::serial(port), open_serial);
    }
    device::register(nodes::CONSOLE, |_, _| open_port(0));
}

fn open_serial(device: DeviceNumber, _flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    open_port(device.minor - nodes::serial(0).minor)
}

fn open_port(port: u32) -> Result<Arc<dyn File>, Errno> {
    Ok(serial::open(port as usize)?)
}
