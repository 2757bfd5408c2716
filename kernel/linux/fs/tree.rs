//! The file systems that mount(2) knows, by name.
//!
//! Owns: the trees of which there is one only (devtmpfs, proc, sysfs), and tmpfs's options.
//! Source: filesystems(5), tmpfs(5); Linux 6.1 mm/shmem.c (`shmem_parse_one`).

use alloc::sync::Arc;

use ostd::mm::PAGE_SIZE;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::credentials::Credentials;
use spin::Once;

use super::device::nodes;
use super::devpts;
use super::mount;
use super::path::Origin;
use super::proc;
use super::tmpfs::inode::Inode;
use super::tmpfs::superblock::{FileSystemType, Limits, Superblock};

/// The root of the file system with that name: a new one for tmpfs, else the only one.
///
/// # Errors
/// `ENODEV`: no such file system. `EINVAL`: tmpfs has no such option.
pub(crate) fn of_type(name: &[u8], options: &[u8]) -> Result<Arc<Inode>, Errno> {
    match name {
        b"tmpfs" | b"ramfs" => new_tmpfs(options),
        b"devtmpfs" => only_one(&DEVTMPFS, FileSystemType::Devtmpfs, 0o755, populate_devices),
        b"devpts" => devpts::mounted(options),
        b"proc" => only_one(&PROC, FileSystemType::Proc, 0o555, proc::populate),
        b"sysfs" => only_one(&SYSFS, FileSystemType::Sysfs, 0o555, |_| Ok(())),
        _ => Err(Errno::ENODEV),
    }
}

static DEVTMPFS: Once<Arc<Inode>> = Once::new();
static PROC: Once<Arc<Inode>> = Once::new();
static SYSFS: Once<Arc<Inode>> = Once::new();

fn only_one(
    tree: &'static Once<Arc<Inode>>,
    file_system: FileSystemType,
    mode: u32,
    populate: impl Fn(&Origin) -> Result<(), Errno>,
) -> Result<Arc<Inode>, Errno> {
    let make = || {
        let superblock = Superblock::new(file_system, Limits::default());
        let root = Inode::new_root(&superblock, Permissions::from_mode(mode))?;
        // Not in the tree yet: names are made from the root itself on.
        let start = mount::root().sibling(root.clone());
        populate(&Origin { start, credentials: Credentials::ROOT, umask: Permissions::empty() })?;
        Ok(root)
    };
    tree.try_call_once(make).cloned()
}

fn populate_devices(origin: &Origin) -> Result<(), Errno> {
    nodes::populate(origin)
}

fn new_tmpfs(options: &[u8]) -> Result<Arc<Inode>, Errno> {
    let mut limits = Limits::default();
    let mut permissions = Permissions::from_mode(0o1777);
    let (mut uid, mut gid) = (0, 0);
    for option in options.split(|&byte| byte == b',').filter(|option| !option.is_empty()) {
        let option = core::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
        let (key, value) = option.split_once('=').ok_or(Errno::EINVAL)?;
        match key {
            "mode" => permissions = Permissions::from_mode(number(value, 8)? as u32),
            "uid" => uid = number(value, 10)? as u32,
            "gid" => gid = number(value, 10)? as u32,
            "size" => limits.pages = size(value)?.map(|bytes| bytes.div_ceil(PAGE_SIZE as u64)),
            "nr_blocks" => limits.pages = size(value)?,
            "nr_inodes" => limits.inodes = size(value)?,
            _ => return Err(Errno::EINVAL),
        }
    }
    let root = Inode::new_root(&Superblock::new(FileSystemType::Tmpfs, limits), permissions)?;
    root.with_attributes(|attributes| (attributes.uid, attributes.gid) = (uid, gid));
    Ok(root)
}

pub(super) fn number(digits: &str, radix: u32) -> Result<u64, Errno> {
    u64::from_str_radix(digits, radix).map_err(|_| Errno::EINVAL)
}

/// A number with a unit, such as `16m`; 0 is no limit but the default.
fn size(text: &str) -> Result<Option<u64>, Errno> {
    let (digits, shift) = match text.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let value = number(digits, 10)?.checked_mul(1 << shift).ok_or(Errno::EINVAL)?;
    Ok(Some(value).filter(|value| *value > 0))
}
