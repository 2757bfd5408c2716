//! Moves a name atomically, also between directories: rename(2).
//!
//! Invariant: no directory becomes its own descendant; a lookup finds either the old state or the new one.
//! Locks: `RENAMES`, under which alone ancestors may change, then both directories (the ancestor first, otherwise by
//! address), then a directory that is replaced.
//! Source: rename(2); Linux 6.1 fs/namei.c (`lock_rename`, `vfs_rename`).

use alloc::sync::Arc;

use ostd::sync::{Mutex, PreemptDisabled, SpinLockGuard};
use rules::abi::errno::Errno;

use super::attributes::Attributes;
use super::directory::{DirectoryEntries, DirectoryEntry};
use super::inode::Inode;
use super::names::{self, Name};

static RENAMES: Mutex<()> = Mutex::new(());

/// A name in a directory.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The directory.
    pub(crate) directory: &'a Arc<Inode>,
    /// The name in it.
    pub(crate) name: &'a [u8],
}

/// What happens if the new name exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExistingName {
    /// It is replaced.
    Replace,
    /// The call fails: `RENAME_NOREPLACE`.
    Refuse,
    /// The two names are exchanged: `RENAME_EXCHANGE`.
    Exchange,
}

/// What rename(2) has moved.
pub(crate) struct Moved {
    /// What has a new name.
    pub(crate) source: Arc<Inode>,
    /// What had that name before: it is exchanged or replaced.
    pub(crate) target: Option<Arc<Inode>>,
    /// The name that was given.
    pub(crate) from: Name,
    /// The name that was taken.
    pub(crate) to: Name,
}

/// Moves `from` to `to`, if `accept` permits it for their inodes. Returns what was moved, to be dropped without locks;
/// `None`: both names lead to the same file.
///
/// # Errors
/// Nothing was moved. `ENOENT`: `from` does not exist, `to`'s directory was removed, or `to` does not exist for an
/// exchange. `EEXIST`: `to` exists and is not to be replaced. `EINVAL`: a directory would become its own descendant.
/// `ENOTEMPTY`: `to` is a directory with entries, or an ancestor of `from`. `EISDIR`, `ENOTDIR`: only one of the two
/// is a directory. `EBUSY`: a mount point. Those of `accept`.
pub(crate) fn rename(
    from: Place<'_>,
    to: Place<'_>,
    taken: ExistingName,
    accept: impl FnOnce(&Arc<Inode>, Option<&Arc<Inode>>) -> Result<(), Errno>,
) -> Result<Option<Moved>, Errno> {
    let _still = RENAMES.lock();
    let mut pair = LockedDirectories::lock(from.directory, to.directory)?;
    let entry = pair.from().find(from.name)?.clone();
    let source = entry.inode.clone();
    let target = match pair.to().find(to.name) {
        Ok(_) if taken == ExistingName::Refuse => return Err(Errno::EEXIST),
        Ok(target) => Some(target.inode.clone()),
        Err(Errno::ENOENT) if taken != ExistingName::Exchange => None,
        Err(error) => return Err(error),
    };
    accept(&source, target.as_ref())?;
    check_loops(from, to, &source, target.as_ref(), taken)?;
    if target.as_ref().is_some_and(|target| Arc::ptr_eq(target, &source)) {
        return Ok(None);
    }
    check_mounts(&source, target.as_ref())?;

    let former = entry.name.clone();
    let name = match &target {
        Some(target) if taken == ExistingName::Exchange => pair.exchange(from, to, entry, target)?,
        Some(target) => pair.replace(from, to, entry, target)?,
        None => pair.carry(from, to, entry)?,
    };
    source.with_attributes(Attributes::mark_changed);
    from.directory.with_attributes(Attributes::mark_modified);
    to.directory.with_attributes(Attributes::mark_modified);
    drop(pair);
    Ok(Some(Moved { source, target, from: former, to: name }))
}

fn check_loops(
    from: Place<'_>,
    to: Place<'_>,
    source: &Arc<Inode>,
    target: Option<&Arc<Inode>>,
    taken: ExistingName,
) -> Result<(), Errno> {
    if is_same_or_above(source, to.directory) {
        return Err(Errno::EINVAL);
    }
    if target.is_some_and(|target| is_same_or_above(target, from.directory)) {
        return Err(if taken == ExistingName::Exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    Ok(())
}

fn check_mounts(source: &Arc<Inode>, target: Option<&Arc<Inode>>) -> Result<(), Errno> {
    let mounted = |inode: &Arc<Inode>| inode.directory().is_ok_and(|directory| directory.is_mount_point());
    if mounted(source) || target.is_some_and(mounted) { Err(Errno::EBUSY) } else { Ok(()) }
}

/// Returns whether `upper` is `lower` or one of its ancestors.
fn is_same_or_above(upper: &Arc<Inode>, lower: &Arc<Inode>) -> bool {
    let mut at = Some(lower.clone());
    while let Some(inode) = at {
        if Arc::ptr_eq(&inode, upper) {
            return true;
        }
        at = inode.directory().ok().and_then(|directory| directory.parent());
    }
    false
}

/// The locked entries of one directory or two.
struct LockedDirectories<'a> {
    from: SpinLockGuard<'a, DirectoryEntries, PreemptDisabled>,
    /// `None` if both are the same directory.
    to: Option<SpinLockGuard<'a, DirectoryEntries, PreemptDisabled>>,
}

impl<'a> LockedDirectories<'a> {
    fn lock(from: &'a Arc<Inode>, to: &'a Arc<Inode>) -> Result<Self, Errno> {
        let (from_names, to_names) = (&from.directory()?.names, &to.directory()?.names);
        if Arc::ptr_eq(from, to) {
            return Ok(Self { from: from_names.lock(), to: None });
        }
        let from_first = if is_same_or_above(from, to) {
            true
        } else {
            !is_same_or_above(to, from) && Arc::as_ptr(from) < Arc::as_ptr(to)
        };
        Ok(if from_first {
            let from = from_names.lock();
            Self { from, to: Some(to_names.lock()) }
        } else {
            let to = to_names.lock();
            Self { from: from_names.lock(), to: Some(to) }
        })
    }

    fn from(&mut self) -> &mut DirectoryEntries {
        &mut self.from
    }

    fn to(&mut self) -> &mut DirectoryEntries {
        match &mut self.to {
            Some(to) => to,
            None => &mut self.from,
        }
    }

    /// Moves a name to a free one, which it returns.
    fn carry(&mut self, from: Place<'_>, to: Place<'_>, entry: DirectoryEntry) -> Result<Name, Errno> {
        self.to().check_vacant(to.name)?;
        let removed = self.from().remove(from.name);
        debug_assert!(removed.is_some());
        let name: Name = to.name.into();
        change_parent(&entry, from.directory, to.directory, &name);
        self.to().insert(DirectoryEntry { name: name.clone(), ..entry });
        Ok(name)
    }

    /// Moves a name over an existing one, which it returns.
    fn replace(
        &mut self,
        from: Place<'_>,
        to: Place<'_>,
        entry: DirectoryEntry,
        target: &Arc<Inode>,
    ) -> Result<Name, Errno> {
        match (entry.inode.is_directory(), target.directory()) {
            (true, Ok(directory)) => directory.close()?,
            (true, Err(error)) => return Err(error),
            (false, Ok(_)) => return Err(Errno::EISDIR),
            (false, Err(_)) => {}
        }
        // The caller holds `target`, so nothing is freed here.
        let replaced = self.to().replace(to.name, &entry).ok_or(Errno::ENOENT)?;
        let removed = self.from().remove(from.name);
        debug_assert!(removed.is_some());
        names::forget(to.directory, &replaced);
        change_parent(&entry, from.directory, to.directory, &replaced.name);
        Ok(replaced.name)
    }

    /// Exchanges two names, and returns the second one.
    fn exchange(
        &mut self,
        from: Place<'_>,
        to: Place<'_>,
        entry: DirectoryEntry,
        target: &Arc<Inode>,
    ) -> Result<Name, Errno> {
        let other = self.to().replace(to.name, &entry).ok_or(Errno::ENOENT)?;
        let former = self.from().replace(from.name, &other);
        debug_assert!(former.is_some());
        change_parent(&entry, from.directory, to.directory, &other.name);
        change_parent(&other, to.directory, from.directory, &entry.name);
        target.with_attributes(Attributes::mark_changed);
        Ok(other.name)
    }
}

/// Notes the new name of what `entry` leads to. Updates `..` of a directory, and the link counts of its parents.
fn change_parent(entry: &DirectoryEntry, from: &Arc<Inode>, to: &Arc<Inode>, name: &Name) {
    let moved = &entry.inode;
    entry.dentry.move_to(to, name.clone());
    if let Ok(directory) = moved.directory()
        && !Arc::ptr_eq(from, to)
    {
        directory.set_parent(to);
        from.with_attributes(|attributes| attributes.links -= 1);
        to.with_attributes(|attributes| attributes.links += 1);
    }
}
