//! The file system types that mount(2) knows.
//!
//! Owns: file systems with a single instance (devtmpfs, sysfs), and tmpfs's options.   Not here: `/proc`, which
//! reports on layers above (`linux/proc`).
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
use super::tmpfs::inode::Inode;
use super::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};

/// Returns the root of a file system of that type: a new one for tmpfs, otherwise the single instance.
///
/// # Errors
/// `ENODEV`: no such type. `EINVAL`: no such option of tmpfs.
pub(crate) fn of_type(name: &[u8], options: &[u8]) -> Result<Arc<Inode>, Errno> {
    match name {
        b"tmpfs" | b"ramfs" => new_tmpfs(options),
        b"devtmpfs" => DEVTMPFS.root().cloned(),
        b"devpts" => devpts::mounted(options),
        b"sysfs" => SYSFS.root().cloned(),
        _ => Err(Errno::ENODEV),
    }
}

static DEVTMPFS: OnlyTree = OnlyTree::new(FileSystemType::Devtmpfs, 0o755, nodes::populate);
static SYSFS: OnlyTree = OnlyTree::new(FileSystemType::Sysfs, 0o555, |_| Ok(()));

/// A file system with a single instance, which every mount shows.
pub(crate) struct OnlyTree {
    root: Once<Arc<Inode>>,
    file_system: FileSystemType,
    mode: u32,
    populate: fn(&Origin) -> Result<(), Errno>,
}

impl OnlyTree {
    /// Makes a tree whose root has these permissions; `populate` creates its names.
    pub(crate) const fn new(
        file_system: FileSystemType,
        mode: u32,
        populate: fn(&Origin) -> Result<(), Errno>,
    ) -> Self {
        Self { root: Once::new(), file_system, mode, populate }
    }

    /// Returns the root; the first call creates the tree.
    ///
    /// # Errors
    /// `ENOSPC`: no inode is left.
    pub(crate) fn root(&self) -> Result<&Arc<Inode>, Errno> {
        self.root.try_call_once(|| {
            let superblock = Superblock::new(self.file_system, SizeLimits::default());
            let root = Inode::new_root(&superblock, Permissions::from_mode(self.mode))?;
            (self.populate)(&origin_at(&root))?;
            Ok(root)
        })
    }
}

/// Returns a lookup origin at `root` with root's credentials; a tree that is not mounted is reached only from its
/// root.
pub(super) fn origin_at(root: &Arc<Inode>) -> Origin {
    let start = mount::root().sibling(root.clone());
    Origin { start, credentials: Credentials::ROOT, umask: Permissions::empty() }
}

fn new_tmpfs(options: &[u8]) -> Result<Arc<Inode>, Errno> {
    let mut limits = SizeLimits::default();
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

/// Parses a number with a unit, such as `16m`; 0 means the default limit.
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
