//! Adds and removes names: changes the directory and the inode together.
//!
//! Not here: permissions (the caller's `accept` checks them, under the lock), paths (`fs/path`).
//! Each name of an inode but one is charged to the file system like an inode.
//! Invariant: an inode's link count is the number of its names, as seen under their directories' locks. An inode whose
//! count has reached zero gets no name again, except one that was created without a name (`O_TMPFILE`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;

use super::attributes::Attributes;
use super::directory::DirectoryEntry;
use super::inode::Inode;

/// A name, as its directory holds it.
pub(crate) type Name = Arc<[u8]>;

/// Adds a name for a new inode, and returns it.
///
/// # Errors
/// No name was added. `ENOTDIR`, `ENOENT`: `directory` is not a directory, or was removed. `EEXIST`, `ENAMETOOLONG`:
/// the name cannot be added.
pub(crate) fn add_first(directory: &Arc<Inode>, name: &[u8], inode: &Arc<Inode>) -> Result<Name, Errno> {
    let mut names = directory.directory()?.names.lock();
    names.check_vacant(name)?;
    inode.with_attributes(|attributes| attributes.links = if inode.is_directory() { 2 } else { 1 });
    let entry = DirectoryEntry::new(directory, name, inode);
    let name = entry.name.clone();
    inode.set_dentry(entry.dentry.clone());
    names.insert(entry);
    directory.with_attributes(|attributes| {
        attributes.links += u32::from(inode.is_directory());
        attributes.mark_modified();
    });
    Ok(name)
}

/// Adds another name and returns it: link(2).
///
/// # Errors
/// No name was added. As [`add_first`]; `ENOENT` also if the last name was removed meanwhile. `EMLINK`: the link count
/// is at its maximum. `ENOSPC`: the file system has as many inodes as it may have, of which each further name counts as
/// one (`shmem_link`).
pub(crate) fn add_link(directory: &Arc<Inode>, name: &[u8], inode: &Arc<Inode>) -> Result<Name, Errno> {
    let mut names = directory.directory()?.names.lock();
    names.check_vacant(name)?;
    let inodes = &inode.superblock().inodes;
    inodes.charge()?;
    let counted = inode.with_attributes(|attributes| {
        let is_first = attributes.links == 0;
        if is_first && !attributes.is_linkable {
            return Err(Errno::ENOENT);
        }
        attributes.links = attributes.links.checked_add(1).ok_or(Errno::EMLINK)?;
        attributes.is_linkable = false;
        attributes.mark_changed();
        Ok(is_first)
    });
    if counted != Ok(false) {
        // The inode itself is the charge of its first name.
        inodes.refund(1);
    }
    let is_first = counted?;
    let entry = DirectoryEntry::new(directory, name, inode);
    let name = entry.name.clone();
    if is_first {
        inode.set_dentry(entry.dentry.clone());
    } else {
        inode.note_link();
    }
    names.insert(entry);
    directory.with_attributes(Attributes::mark_modified);
    Ok(name)
}

/// Removes a name, if `accept` permits it; a directory must be empty. Returns what it led to, to be dropped without
/// locks: the last reference may free a whole file.
///
/// # Errors
/// Nothing was removed. `ENOENT`: no such name. `ENOTEMPTY`, `EBUSY`: the directory has entries, or is a mount point.
/// Those of `accept`.
pub(crate) fn remove(
    directory: &Arc<Inode>,
    name: &[u8],
    accept: impl FnOnce(&Arc<Inode>) -> Result<(), Errno>,
) -> Result<(Name, Arc<Inode>), Errno> {
    let mut names = directory.directory()?.names.lock();
    let inode = names.find(name)?.inode.clone();
    accept(&inode)?;
    if let Ok(directory) = inode.directory() {
        directory.close()?;
    }
    let entry = names.remove(name).ok_or(Errno::ENOENT)?;
    forget(directory, &entry);
    directory.with_attributes(Attributes::mark_modified);
    drop(names);
    Ok((entry.name, inode))
}

/// Updates the link counts after an entry was removed from `directory`; if it led to a directory, that is closed
/// already.
pub(super) fn forget(directory: &Arc<Inode>, DirectoryEntry { inode, dentry, .. }: &DirectoryEntry) {
    dentry.remove();
    let was_further = inode.with_attributes(|attributes| {
        let was_further = !inode.is_directory() && attributes.links > 1;
        attributes.links = if inode.is_directory() { 0 } else { attributes.links.saturating_sub(1) };
        attributes.mark_changed();
        was_further
    });
    if was_further {
        inode.superblock().inodes.refund(1);
    }
    if inode.is_directory() {
        directory.with_attributes(|attributes| attributes.links -= 1);
    }
}
