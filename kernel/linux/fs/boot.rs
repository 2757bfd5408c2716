//! The tree that the first program finds.
//!
//! As on Linux, only the root is mounted: `/dev` holds nodes so that init gets its terminal, and init mounts devtmpfs
//! and proc.

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::credentials::Credentials;

use super::device;
use super::initramfs;
use super::mount;
use super::namei::{self, NewFile};
use super::path::{self, LastLink, Origin};
use crate::machine::console::println;

/// Unpacks the initramfs and creates what every program expects; `start` calls it once.
///
/// A damaged archive is reported, but not fatal: the files before the damage are kept.
pub(crate) fn populate() {
    device::memory::register();
    device::random::register();
    if let Some(archive) = ostd::boot::boot_info().initramfs
        && let Err(error) = initramfs::unpack(archive)
    {
        println!("{}", error);
    }
    if let Err(error) = make_skeleton() {
        println!("/dev cannot be made: {:?}", error);
    }
}

/// Returns a lookup origin at the root with root's credentials.
pub(crate) fn origin() -> Origin {
    Origin { start: mount::root().clone(), credentials: Credentials::ROOT, umask: Permissions::empty() }
}

fn make_skeleton() -> Result<(), Errno> {
    let at_root = origin();
    for (directory, mode) in [("dev", 0o755), ("proc", 0o555), ("sys", 0o555), ("tmp", 0o1777)] {
        match namei::make(&at_root, directory.as_bytes(), NewFile::Directory, Permissions::from_mode(mode)) {
            Ok(_) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    let start = path::lookup(&at_root, b"dev", LastLink::Follow)?;
    device::nodes::populate(&Origin { start, ..at_root })
}
