//! Which file system shows where: the one tree that all paths walk in.
//!
//! Owns: the list of mounts.   Not here: what a path is (`fs/path`), what mount(2) accepts (`syscall/mount`).
//! Invariant: each mount but the first covers a directory of another; a covered directory is a mount point.
//! Source: path_resolution(7), mount(2), umount(2); Linux 6.1 fs/namespace.c.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::abi::stat::Stat;
use spin::Once;

use super::stat;
use super::tmpfs::inode::Inode;
use super::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};
use crate::core::file;

/// A file system at its place in the tree.
pub(crate) struct Mount {
    number: u64,
    root: Arc<Inode>,
    /// The directory it covers; `None` for the first.
    covers: Option<Location>,
    source: Vec<u8>,
}

/// A file by its place: the same inode may show in several mounts.
#[derive(Clone)]
pub(crate) struct Location {
    /// The mount it was reached through.
    pub(crate) mount: Arc<Mount>,
    /// The file.
    pub(crate) inode: Arc<Inode>,
}

static MOUNTS: SpinLock<Vec<Arc<Mount>>> = SpinLock::new(Vec::new());
static ROOT: Once<Location> = Once::new();

/// The top of the tree: an empty tmpfs at first.
///
/// # Panics
/// When not even the root's inode can be had, before anything runs.
pub(crate) fn root() -> &'static Location {
    ROOT.call_once(|| {
        let superblock = Superblock::new(FileSystemType::Tmpfs, SizeLimits::default());
        let root = Inode::new_root(&superblock, Permissions::from_mode(0o755));
        #[expect(
            clippy::expect_used,
            reason = "the first inode of an empty file system is within its allowance"
        )]
        let root = root.expect("a root directory");
        let mount = Arc::new(Mount {
            number: next_number(),
            root: root.clone(),
            covers: None,
            source: b"rootfs".to_vec(),
        });
        MOUNTS.lock().push(mount.clone());
        Location { mount, inode: root }
    })
}

/// A mount that no path leads to, with this root.
pub(crate) fn outside(root: Arc<Inode>) -> Location {
    let mount = Mount { number: next_number(), root: root.clone(), covers: None, source: Vec::new() };
    Location { mount: Arc::new(mount), inode: root }
}

/// Lets `root` cover the directory at `at`.
///
/// # Errors
/// `ENOTDIR`: not a directory. `EBUSY`: the same file system covers it already. `ENOENT`: it was removed.
pub(crate) fn mount(at: &Location, root: Arc<Inode>, source: &[u8]) -> Result<(), Errno> {
    let directory = at.inode.directory()?;
    if at.is_mount_root() && Arc::ptr_eq(at.inode.superblock(), root.superblock()) {
        return Err(Errno::EBUSY);
    }
    directory.add_mount()?;
    attach(at, root, source.to_vec());
    Ok(())
}

/// Lets the directory that shows at `shown` show at `at` too: MS_BIND.
///
/// # Errors
/// `ENOTDIR`: either is no directory. `ENOENT`: `at` was removed.
pub(crate) fn bind(at: &Location, shown: &Location) -> Result<(), Errno> {
    shown.inode.directory()?;
    at.inode.directory()?.add_mount()?;
    attach(at, shown.inode.clone(), shown.mount.source.clone());
    Ok(())
}

fn attach(at: &Location, root: Arc<Inode>, source: Vec<u8>) {
    let mount = Mount { number: next_number(), root, covers: Some(at.clone()), source };
    MOUNTS.lock().push(Arc::new(mount));
}

/// Whether umount2(2) may leave a file system to those who still use it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Busy {
    /// It must not be in use.
    Refuse,
    /// It goes out of the tree and ends with its last user: `MNT_DETACH`.
    Detach,
}

/// Takes the mount whose root is `at` out of the tree.
///
/// # Errors
/// `EINVAL`: not the root of a mount, or the first mount. `EBUSY`: open files, working directories or other mounts
/// are in it.
pub(crate) fn unmount(at: Location, busy: Busy) -> Result<(), Errno> {
    let Some(covers) = at.mount.covers.as_ref().filter(|_| at.is_mount_root()) else {
        return Err(Errno::EINVAL);
    };
    let mut mounts = MOUNTS.lock();
    let Some(index) = mounts.iter().position(|mount| Arc::ptr_eq(mount, &at.mount)) else {
        return Err(Errno::EINVAL);
    };
    // One reference is the list's, one is `at`'s. A mount below holds one through what it covers.
    if busy == Busy::Refuse && Arc::strong_count(&at.mount) > 2 {
        return Err(Errno::EBUSY);
    }
    let mount = mounts.remove(index);
    drop(mounts);
    if let Ok(directory) = covers.inode.directory() {
        directory.remove_mount();
    }
    // The last reference may free a whole tree: not under the lock.
    drop(mount);
    Ok(())
}

/// A snapshot of all mounts in the order they were made, for `/proc/mounts`.
pub(crate) fn all() -> Vec<Arc<Mount>> {
    MOUNTS.lock().clone()
}

impl Mount {
    /// `stx_mnt_id`.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The top of the file system.
    pub(crate) fn root(&self) -> &Arc<Inode> {
        &self.root
    }

    /// What mount(2) was told to mount.
    pub(crate) fn source(&self) -> &[u8] {
        &self.source
    }

    /// The directory it covers; `None` for the first.
    pub(crate) fn covers(&self) -> Option<&Location> {
        self.covers.as_ref()
    }
}

impl file::location::Location for Location {
    fn stat(&self) -> Stat {
        stat::stat(&self.inode)
    }
}

impl Location {
    /// The same mount, another file.
    pub(crate) fn sibling(&self, inode: Arc<Inode>) -> Self {
        Self { mount: self.mount.clone(), inode }
    }

    /// Whether both are the same file at the same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.inode, &other.inode)
    }

    /// Whether this is the top of its mount.
    pub(crate) fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(&self.inode, &self.mount.root)
    }

    /// What shows here: the root of the topmost mount, if this is a mount point.
    pub(crate) fn topmost(self) -> Self {
        let mut at = self;
        while at.inode.directory().is_ok_and(|directory| directory.is_mount_point()) {
            let mounts = MOUNTS.lock();
            let covering =
                mounts.iter().find(|mount| mount.covers.as_ref().is_some_and(|covers| covers.is(&at)));
            let Some(mount) = covering.cloned() else {
                break;
            };
            drop(mounts);
            at = Self { inode: mount.root.clone(), mount };
        }
        at
    }

    /// Where `..` leads: out of a mount to where it is mounted; the root is its own parent.
    pub(crate) fn parent(&self) -> Result<Self, Errno> {
        let mut at = self;
        while at.is_mount_root() {
            match &at.mount.covers {
                Some(covers) => at = covers,
                None => return Ok(at.clone()),
            }
        }
        let parent = at.inode.directory()?.parent().ok_or(Errno::ENOENT)?;
        Ok(at.sibling(parent).topmost())
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
