//! The mount table: which file system is mounted on which directory of the one tree.
//!
//! Owns: the list of mounts.   Not here: path lookup (`fs/path`), the arguments of mount(2) (`syscall/mount`).
//! Invariant: each mount but the first is mounted on a directory of another, which is marked as a mount point.
//! Source: path_resolution(7), mount(2), umount(2); Linux 6.1 fs/namespace.c.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use spin::Once;

use super::changes::Changes;
use super::tmpfs::dentry::Dentry;
use super::tmpfs::inode::Inode;
use super::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};

/// A mounted file system.
pub(crate) struct Mount {
    number: u64,
    root: Arc<Inode>,
    /// The directory that it is mounted on; `None` for the first mount.
    covers: Option<Location>,
    source: Vec<u8>,
}

/// A file and the mount it was reached through: the same inode may be visible in several mounts.
#[derive(Clone)]
pub(crate) struct Location {
    /// The mount.
    pub(crate) mount: Arc<Mount>,
    /// The file.
    pub(crate) inode: Arc<Inode>,
    /// The name by which it was found, if it may have others.
    pub(crate) dentry: Option<Arc<Dentry>>,
}

static MOUNTS: SpinLock<Vec<Arc<Mount>>> = SpinLock::new(Vec::new());
/// The changes of the list: mounts, unmounts and remounts.
pub(crate) static CHANGES: Changes = Changes::new();
static ROOT: Once<Location> = Once::new();

/// Returns the root of the tree; it starts as an empty tmpfs.
///
/// # Panics
/// If there is no memory for the root's inode; no program runs yet.
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
        Location { mount, inode: root, dentry: None }
    })
}

/// Makes a mount with this root that is outside the tree.
pub(crate) fn outside(root: Arc<Inode>) -> Location {
    let mount = Mount { number: next_number(), root: root.clone(), covers: None, source: Vec::new() };
    Location { mount: Arc::new(mount), inode: root, dentry: None }
}

/// Mounts `root` on the directory at `at`.
///
/// # Errors
/// Nothing was mounted. `ENOTDIR`: not a directory. `EBUSY`: the same file system is already mounted there. `ENOENT`:
/// the directory was removed.
pub(crate) fn mount(at: &Location, root: Arc<Inode>, source: &[u8]) -> Result<(), Errno> {
    let directory = at.inode.directory()?;
    if at.is_mount_root() && Arc::ptr_eq(at.inode.superblock(), root.superblock()) {
        return Err(Errno::EBUSY);
    }
    directory.add_mount()?;
    attach(at, root, source.to_vec());
    Ok(())
}

/// Mounts the directory at `shown` on `at` as well: MS_BIND.
///
/// # Errors
/// Nothing was mounted. `ENOTDIR`: one of them is not a directory. `ENOENT`: `at` was removed.
pub(crate) fn bind(at: &Location, shown: &Location) -> Result<(), Errno> {
    shown.inode.directory()?;
    at.inode.directory()?.add_mount()?;
    attach(at, shown.inode.clone(), shown.mount.source.clone());
    Ok(())
}

fn attach(at: &Location, root: Arc<Inode>, source: Vec<u8>) {
    let mount = Mount { number: next_number(), root, covers: Some(at.clone()), source };
    MOUNTS.lock().push(Arc::new(mount));
    CHANGES.tell();
}

/// Whether umount2(2) may detach a file system that is in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Busy {
    /// No; it must not be in use.
    Refuse,
    /// Yes; it leaves the tree now and ends with its last user: `MNT_DETACH`.
    Detach,
}

/// Unmounts the file system whose root is `at`.
///
/// # Errors
/// Nothing was unmounted. `EINVAL`: not the root of a mount, or the first mount. `EBUSY`: files are open in it, or it
/// contains working directories or other mounts.
pub(crate) fn unmount(at: Location, busy: Busy) -> Result<(), Errno> {
    let Some(covers) = at.mount.covers.as_ref().filter(|_| at.is_mount_root()) else {
        return Err(Errno::EINVAL);
    };
    let mut mounts = MOUNTS.lock();
    let Some(index) = mounts.iter().position(|mount| Arc::ptr_eq(mount, &at.mount)) else {
        return Err(Errno::EINVAL);
    };
    // The list and `at` hold one reference each. A mount below holds one through its mount point.
    if busy == Busy::Refuse && Arc::strong_count(&at.mount) > 2 {
        return Err(Errno::EBUSY);
    }
    let mount = mounts.remove(index);
    drop(mounts);
    if let Ok(directory) = covers.inode.directory() {
        directory.remove_mount();
    }
    // Dropping the last reference may free a whole tree, so it happens without the lock.
    drop(mount);
    CHANGES.tell();
    Ok(())
}

/// Returns all mounts in the order in which they were made, for `/proc/mounts`.
pub(crate) fn all() -> Vec<Arc<Mount>> {
    MOUNTS.lock().clone()
}

impl Mount {
    /// Returns the mount ID: `stx_mnt_id`.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the root of the mount.
    pub(crate) fn root(&self) -> &Arc<Inode> {
        &self.root
    }

    /// Returns the source that mount(2) was given.
    pub(crate) fn source(&self) -> &[u8] {
        &self.source
    }

    /// Returns the directory that it is mounted on; `None` for the first mount.
    pub(crate) fn covers(&self) -> Option<&Location> {
        self.covers.as_ref()
    }
}

impl Location {
    /// Returns the location of another file in the same mount.
    pub(crate) fn sibling(&self, inode: Arc<Inode>) -> Self {
        Self { mount: self.mount.clone(), inode, dentry: None }
    }

    /// Returns the name by which it was found; `None` for the root of a file system, and a file without a name.
    pub(crate) fn dentry(&self) -> Option<Arc<Dentry>> {
        self.dentry.clone().or_else(|| self.inode.dentry())
    }

    /// Returns whether both are the same file at the same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.inode, &other.inode)
    }

    /// Returns whether this is the root of its mount.
    pub(crate) fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(&self.inode, &self.mount.root)
    }

    /// Returns the visible directory: the root of the topmost mount, if this is a mount point.
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
            at = Self { inode: mount.root.clone(), mount, dentry: None };
        }
        at
    }

    /// Returns where `..` leads: from a mount's root to its mount point's parent; the root is its own parent.
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
