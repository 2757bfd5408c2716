//! Dentries: a name of a file in a directory, for those who opened the file by it.
//!
//! Owns: where the name is, and whether it leads to the file.   Not here: the directory's map of names (`directory`).
//! Invariant: an entry of a directory and its dentry agree, as seen under the directory's lock.
//! Lock order: directories' entries before dentries; nothing is locked under a dentry.
//!
//! A file that has one name has one dentry, which its inode holds. Only a file with links needs to know by which of
//! its names it was found; its lookups return the dentry as well. A dentry follows renames. Once it was removed, it
//! keeps its last place, and that directory, so that `/proc/PID/fd` and inotify(7) can still tell it.
//! Source: Linux 6.1 fs/dcache.c, fs/d_path.c.

use alloc::sync::{Arc, Weak};

use ostd::sync::SpinLock;
use rules::linux::inotify::mask::NameState;

use super::inode::Inode;

/// A name of a file.
pub(crate) struct Dentry(SpinLock<Current>);

struct Current {
    name: Arc<[u8]>,
    directory: Weak<Inode>,
    /// The directory, if nothing else keeps it: the name was removed, or is generated.
    kept: Option<Arc<Inode>>,
    state: NameState,
}

/// Where a name is, or was when it was removed.
pub(crate) struct NamePlace {
    /// The directory.
    pub(crate) directory: Arc<Inode>,
    /// The name in it.
    pub(crate) name: Arc<[u8]>,
    /// Whether it still leads to the file.
    pub(crate) state: NameState,
}

impl Dentry {
    /// Makes the dentry of a new entry.
    pub(super) fn new(directory: &Arc<Inode>, name: Arc<[u8]>) -> Arc<Self> {
        let directory = Arc::downgrade(directory);
        Arc::new(Self(SpinLock::new(Current { name, directory, kept: None, state: NameState::Present })))
    }

    /// Makes the dentry of a generated name.
    pub(super) fn generated(directory: &Arc<Inode>, name: &[u8]) -> Arc<Self> {
        let dentry = Self::new(directory, name.into());
        dentry.0.lock().kept = Some(directory.clone());
        dentry
    }

    /// Makes the dentry of a file that is created without a name in `directory`, as if a name had been removed.
    pub(crate) fn nameless(directory: &Arc<Inode>, name: &[u8]) -> Arc<Self> {
        let dentry = Self::new(directory, name.into());
        dentry.remove();
        dentry
    }

    /// Notes a rename.
    pub(super) fn move_to(&self, directory: &Arc<Inode>, name: Arc<[u8]>) {
        let mut current = self.0.lock();
        current.directory = Arc::downgrade(directory);
        current.name = name;
    }

    /// Notes that the name was removed.
    pub(super) fn remove(&self) {
        let mut current = self.0.lock();
        current.kept = current.directory.upgrade();
        current.state = NameState::Removed;
    }

    /// Returns whether the name was removed.
    pub(crate) fn is_removed(&self) -> bool {
        self.0.lock().state == NameState::Removed
    }

    /// Returns where the name is; `None` if its file system is gone.
    pub(crate) fn place(&self) -> Option<NamePlace> {
        let current = self.0.lock();
        let directory = current.directory.upgrade()?;
        Some(NamePlace { directory, name: current.name.clone(), state: current.state })
    }

    /// Gives up the directory that a removed name keeps.
    pub(super) fn take_kept(&self) -> Option<Arc<Inode>> {
        self.0.lock().kept.take()
    }
}
