//! Mounts.

use alloc::sync::Arc;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::abi::open::{AccessMode, OpenFlags};

use super::{O_CREAT, O_RDWR, find, make_directory, put, scratch, try_open};
use crate::linux::fs::mount::{self, Busy};
use crate::linux::fs::namei;
use crate::linux::fs::path::{self, LastLink};
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};

fn new_root() -> Arc<Inode> {
    let superblock = Superblock::new(FileSystemType::Tmpfs, SizeLimits::default());
    Inode::new_root(&superblock, Permissions::from_mode(0o755)).unwrap()
}

#[ktest]
fn a_mount_covers_its_directory_until_it_is_taken_away() {
    let at = scratch("mounts");
    make_directory(&at, "m");
    put(&at, "m/below", b"");
    let location = path::lookup(&at, b"m", LastLink::Follow).unwrap();
    let root = new_root();
    mount::mount(&location, root.clone(), b"tmpfs").unwrap();
    assert_eq!(find(&at, "m/below"), Err(Errno::ENOENT));
    put(&at, "m/above", b"");
    assert_eq!(find(&at, "m/above").as_deref(), Ok("a file"));
    assert_eq!(find(&at, "m/..").as_deref(), Ok(""));
    assert_eq!(namei::remove_directory(&at, b"m"), Err(Errno::EBUSY));
    let mounted = || path::lookup(&at, b"m", LastLink::Follow).unwrap();
    assert_eq!(mount::mount(&mounted(), root, b"tmpfs"), Err(Errno::EBUSY));
    let above = path::lookup(&at, b"m/above", LastLink::Follow).unwrap();
    assert_eq!(namei::link(&at, &above, b"outside"), Err(Errno::EXDEV));
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Err(Errno::EBUSY));
    assert_eq!(mount::unmount(above, Busy::Refuse), Err(Errno::EINVAL));
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Ok(()));
    assert_eq!(find(&at, "m/below").as_deref(), Ok("a file"));
    assert_eq!(mount::unmount(mount::root().clone(), Busy::Detach), Err(Errno::EINVAL));
}

#[ktest]
fn an_open_file_keeps_its_mount_busy_until_the_description_goes() {
    let at = scratch("busy");
    make_directory(&at, "m");
    let location = path::lookup(&at, b"m", LastLink::Follow).unwrap();
    mount::mount(&location, new_root(), b"tmpfs").unwrap();
    let mounted = || path::lookup(&at, b"m", LastLink::Follow).unwrap();
    let opened = try_open(&at, "m/f", O_RDWR | O_CREAT).unwrap();
    let description = opened.describe(AccessMode::ReadWrite, OpenFlags::empty()).unwrap();
    let file = description.file().clone();
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Err(Errno::EBUSY));
    drop(description);
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Ok(()));
    drop(file);
}
