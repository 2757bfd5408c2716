//! The entries of a directory.
//!
//! Owns: the map from names to inodes, kept in the order of creation as well, so that getdents(2) can continue after
//! any change.   Not here: permissions (`fs/namei`), paths (`fs/path`).
//! Invariant: `by_name` and `entries` hold the same names; a removed directory is empty and stays so.
//! Lock order: an ancestor's names before a descendant's; unrelated directories only under `rename`'s lock.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::linux::path::NAME_MAX;
use spin::Once;

use super::dentry::Dentry;
use super::dynamic::{self, DynamicDirectory};
use super::inode::{Content, Inode};

/// The contents of a directory inode.
pub(crate) struct Directory {
    /// Where `..` leads; empty for a root. Weak, because the parent's entry holds the child.
    parent: SpinLock<Weak<Inode>>,
    pub(super) names: SpinLock<DirectoryEntries>,
    /// The number of file systems mounted here. `fs/mount` maintains it, so that most lookups need not ask the mount
    /// table.
    mounts: AtomicU32,
    /// Generated names, besides those that programs created.
    dynamic: Once<DynamicDirectory>,
}

/// The entries, which the directory's lock guards.
pub(crate) struct DirectoryEntries {
    by_name: BTreeMap<Arc<[u8]>, u64>,
    entries: BTreeMap<u64, DirectoryEntry>,
    next_cookie: u64,
    /// Set by rmdir(2): no name can be created in the directory any more.
    removed: bool,
}

/// A name and the inode it leads to.
#[derive(Clone)]
pub(crate) struct DirectoryEntry {
    /// The name; neither `.` nor `..`.
    pub(crate) name: Arc<[u8]>,
    /// The inode.
    pub(crate) inode: Arc<Inode>,
    /// What follows the name through renames.
    pub(crate) dentry: Arc<Dentry>,
}

/// An entry as getdents(2) returns it.
pub(crate) struct Shown<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// The inode's number.
    pub(crate) number: u64,
    /// Its kind.
    pub(crate) file_type: FileType,
}

/// Cookies below this stand for `.` and `..`, which are in no map.
pub(crate) const FIRST_COOKIE: u64 = 2;

/// What each entry adds to a directory's size, as Linux's tmpfs counts it.
const ENTRY_SIZE: u64 = 20;

impl Directory {
    /// Makes an empty directory whose `..` is `parent`.
    pub(crate) fn new(parent: Weak<Inode>) -> Self {
        let names = DirectoryEntries {
            by_name: BTreeMap::new(),
            entries: BTreeMap::new(),
            next_cookie: FIRST_COOKIE,
            removed: false,
        };
        Self {
            parent: SpinLock::new(parent),
            names: SpinLock::new(names),
            mounts: AtomicU32::new(0),
            dynamic: Once::new(),
        }
    }

    /// Makes a directory that contains only the names of `names`.
    pub(crate) fn dynamic(names: Box<dyn dynamic::DynamicNames>) -> Self {
        let directory = Self::new(Weak::new());
        directory.make_dynamic(names);
        directory
    }

    /// Returns where `..` leads; `None` for a root, and when the parent is gone.
    pub(crate) fn parent(&self) -> Option<Arc<Inode>> {
        self.parent.lock().upgrade().or_else(|| self.dynamic.get()?.parent())
    }

    pub(super) fn set_parent(&self, parent: &Arc<Inode>) {
        *self.parent.lock() = Arc::downgrade(parent);
    }

    /// Returns the inode that `name` leads to, and the dentry if it may have other names.
    ///
    /// # Errors
    /// `ENOENT`: no such name. `ENAMETOOLONG`: the name is too long for any file.
    pub(super) fn find(&self, name: &[u8]) -> Result<(Arc<Inode>, Option<Arc<Dentry>>), Errno> {
        let names = self.names.lock();
        let DirectoryEntry { inode, dentry, .. } = names.find(name)?;
        let dentry = inode.has_links().then(|| dentry.clone());
        if let Some(dentry) = &dentry {
            inode.replace_removed_dentry(dentry);
        }
        Ok((inode.clone(), dentry))
    }

    /// Adds the generated names of `names`.
    pub(crate) fn make_dynamic(&self, names: Box<dyn dynamic::DynamicNames>) {
        self.dynamic.call_once(|| DynamicDirectory::new(names));
    }

    /// Checks whether names can be created here.
    ///
    /// # Errors
    /// `ENOENT`: the directory's names are generated.
    pub(crate) fn check_makes(&self) -> Result<(), Errno> {
        if self.dynamic.get().is_some() { Err(Errno::ENOENT) } else { Ok(()) }
    }

    /// Holds a reference to the parent: no entry of the parent holds a dynamic directory.
    pub(super) fn keep_parent(&self, parent: &Arc<Inode>) {
        if let Some(dynamic) = self.dynamic.get() {
            dynamic.keep_parent(parent);
        }
    }

    /// Returns what a dynamic name leads to.
    ///
    /// # Errors
    /// `ENOENT`: no such name.
    pub(super) fn find_dynamic(&self, name: &[u8]) -> Result<dynamic::DynamicInode, Errno> {
        self.dynamic.get().ok_or(Errno::ENOENT)?.names().find(name)
    }

    /// Passes the entries from `cookie` on to `accept`, each with its successor's cookie, until it returns false.
    pub(crate) fn visit(&self, cookie: u64, mut accept: impl FnMut(Shown<'_>, u64) -> bool) {
        let names = self.names.lock();
        for (cookie, DirectoryEntry { name, inode, .. }) in names.entries.range(cookie..) {
            let shown = Shown { name, number: inode.number(), file_type: inode.file_type() };
            if !accept(shown, cookie + 1) {
                return;
            }
        }
        drop(names);
        let Some(dynamic) = self.dynamic.get() else { return };
        let mut from = cookie.saturating_sub(dynamic::FIRST_COOKIE);
        loop {
            let names = dynamic.names().list(from);
            let Some(last) = names.last() else { return };
            from = last.key + 1;
            for listed in names {
                debug_assert!(listed.key < dynamic::KEYS);
                let shown = Shown { name: &listed.name, number: listed.number, file_type: listed.file_type };
                if !accept(shown, dynamic::FIRST_COOKIE + listed.key + 1) {
                    return;
                }
            }
        }
    }

    /// Closes an empty directory for good, for rmdir(2). The parent's entries are locked.
    ///
    /// # Errors
    /// Nothing was closed. `ENOTEMPTY`: the directory has entries. `EBUSY`: a file system is mounted here.
    pub(super) fn close(&self) -> Result<(), Errno> {
        let mut names = self.names.lock();
        if self.is_mount_point() {
            return Err(Errno::EBUSY);
        }
        if !names.entries.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        names.removed = true;
        Ok(())
    }

    /// Counts a file system that is mounted here, which keeps the directory from being removed.
    ///
    /// # Errors
    /// `ENOENT`: the directory was removed.
    pub(crate) fn add_mount(&self) -> Result<(), Errno> {
        // Under the lock that `close` takes, too: either the mount or the removal comes first.
        let names = self.names.lock();
        if names.removed {
            return Err(Errno::ENOENT);
        }
        self.mounts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Reverts `add_mount`.
    pub(crate) fn remove_mount(&self) {
        self.mounts.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns `st_size`, which grows with the number of entries.
    pub(crate) fn size(&self) -> u64 {
        self.names.lock().entries.len() as u64 * ENTRY_SIZE
    }

    /// Returns whether a file system is mounted here, which keeps the name from being removed or renamed.
    pub(crate) fn is_mount_point(&self) -> bool {
        // Relaxed: a concurrent mount may as well come later.
        self.mounts.load(Ordering::Relaxed) > 0
    }
}

impl DirectoryEntry {
    /// Makes an entry of `directory` that leads to `inode`.
    pub(super) fn new(directory: &Arc<Inode>, name: &[u8], inode: &Arc<Inode>) -> Self {
        let name: Arc<[u8]> = name.into();
        let dentry = Dentry::new(directory, name.clone());
        Self { name, inode: inode.clone(), dentry }
    }
}

impl DirectoryEntries {
    /// Returns the entry of `name`.
    ///
    /// # Errors
    /// `ENOENT`: no such name. `ENAMETOOLONG`: the name is too long for any file.
    pub(super) fn find(&self, name: &[u8]) -> Result<&DirectoryEntry, Errno> {
        check_length(name)?;
        self.by_name.get(name).and_then(|cookie| self.entries.get(cookie)).ok_or(Errno::ENOENT)
    }

    /// Checks whether `name` can be added.
    ///
    /// # Errors
    /// `ENOENT`: the directory was removed. `EEXIST`: the name is taken. `ENAMETOOLONG`.
    pub(super) fn check_vacant(&self, name: &[u8]) -> Result<(), Errno> {
        check_length(name)?;
        if self.removed {
            return Err(Errno::ENOENT);
        }
        if self.by_name.contains_key(name) { Err(Errno::EEXIST) } else { Ok(()) }
    }

    /// Adds an entry for a name that `check_vacant` approved under the same lock.
    pub(super) fn insert(&mut self, entry: DirectoryEntry) {
        let earlier = self.by_name.insert(entry.name.clone(), self.next_cookie);
        debug_assert!(earlier.is_none());
        self.entries.insert(self.next_cookie, entry);
        self.next_cookie += 1;
    }

    /// Removes a name and returns its entry, to be dropped after unlocking.
    #[must_use]
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<DirectoryEntry> {
        let cookie = self.by_name.remove(name)?;
        self.entries.remove(&cookie)
    }

    /// Makes a name lead to what `with` has, and returns the old entry, to be dropped after unlocking. The old name
    /// stays, because it is the same.
    #[must_use]
    pub(super) fn replace(&mut self, name: &[u8], with: &DirectoryEntry) -> Option<DirectoryEntry> {
        let cookie = self.by_name.get(name)?;
        let entry = self.entries.get_mut(cookie)?;
        let new = DirectoryEntry { name: entry.name.clone(), ..with.clone() };
        Some(core::mem::replace(entry, new))
    }
}

fn check_length(name: &[u8]) -> Result<(), Errno> {
    if name.len() > NAME_MAX { Err(Errno::ENAMETOOLONG) } else { Ok(()) }
}

impl Drop for Directory {
    /// Drops the tree below iteratively: recursion would need as much stack as the tree is deep, which a program
    /// decides.
    fn drop(&mut self) {
        let mut orphans: Vec<Arc<Inode>> = Vec::new();
        let empty = |names: &mut DirectoryEntries, orphans: &mut Vec<Arc<Inode>>| {
            orphans.extend(core::mem::take(&mut names.entries).into_values().map(|entry| entry.inode));
        };
        empty(self.names.get_mut(), &mut orphans);
        while let Some(orphan) = orphans.pop() {
            let Some(orphan) = Arc::into_inner(orphan) else {
                continue;
            };
            if let Content::Directory(directory) = orphan.content() {
                empty(&mut directory.names.lock(), &mut orphans);
            }
        }
    }
}
