//! The device nodes that `/dev` starts with.
//!
//! Source: Linux 6.1 Documentation/admin-guide/devices.txt; drivers/char/mem.c for the permissions.

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::abi::device::DeviceNumber;

use crate::linux::fs::namei::{self, NewFile};
use crate::linux::fs::path::Origin;
use crate::linux::fs::tmpfs::inode::{Content, DeviceKind};

/// `/dev/null`: always at the end of file.
pub(crate) const NULL: DeviceNumber = DeviceNumber::new(1, 3);
/// `/dev/zero`: an endless stream of zeros.
pub(crate) const ZERO: DeviceNumber = DeviceNumber::new(1, 5);
/// `/dev/full`: a full disk.
pub(crate) const FULL: DeviceNumber = DeviceNumber::new(1, 7);
/// `/dev/random`.
pub(crate) const RANDOM: DeviceNumber = DeviceNumber::new(1, 8);
/// `/dev/urandom`.
pub(crate) const URANDOM: DeviceNumber = DeviceNumber::new(1, 9);
/// `/dev/tty`: the opener's controlling terminal.
pub(crate) const TTY: DeviceNumber = DeviceNumber::new(5, 0);
/// `/dev/console`: the kernel's console.
pub(crate) const CONSOLE: DeviceNumber = DeviceNumber::new(5, 1);

/// `/dev/ptmx`: each open(2) makes a new pseudoterminal.
pub(crate) const PTMX: DeviceNumber = DeviceNumber::new(5, 2);

/// `/dev/ttyS0` and up: the serial ports.
pub(crate) const fn serial(port: u32) -> DeviceNumber {
    DeviceNumber::new(4, 64 + port)
}

const NODES: &[(&[u8], DeviceNumber, u32)] = &[
    (b"null", NULL, 0o666),
    (b"zero", ZERO, 0o666),
    (b"full", FULL, 0o666),
    (b"random", RANDOM, 0o666),
    (b"urandom", URANDOM, 0o666),
    (b"tty", TTY, 0o666),
    (b"console", CONSOLE, 0o600),
    (b"ptmx", PTMX, 0o666),
    (b"ttyS0", serial(0), 0o600),
    (b"ttyS1", serial(1), 0o600),
    (b"ttyS2", serial(2), 0o600),
    (b"ttyS3", serial(3), 0o600),
];

/// Creates the nodes in the directory that `origin` starts at; existing names stay as they are.
///
/// # Errors
/// `ENOSPC`: no inode is left.
pub(crate) fn populate(origin: &Origin) -> Result<(), Errno> {
    for &(name, device, mode) in NODES {
        let node = NewFile::Special(Content::Device(DeviceKind::Character, device));
        match namei::make(origin, name, node, Permissions::from_mode(mode)) {
            Ok(_) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
