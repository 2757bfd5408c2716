//! Names come and go: what happens to the directory and to the inode together.
//!
//! Not here: permissions (the caller's `accept` decides, under the lock), paths (`fs/path`).
//! Invariant: an inode's link count is the number of names that lead to it, seen under their directories'
//! locks; an inode whose count reached zero gets no name again, but for one that was made without a name (`O_TMPFILE`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;

use super::attributes::Attributes;
use super::inode::Inode;

/// Adds a name for an inode that has just been made.
///
/// # Errors
/// `ENOTDIR`, `ENOENT`: `directory` is none, or was removed. `EEXIST`, `ENAMETOOLONG`: not with this name.
pub(crate) fn add_first(directory: &Arc<Inode>, name: &[u8], inode: &Arc<Inode>) -> Result<(), Errno> {
    let mut names = directory.directory()?.names.lock();
    names.check_vacant(name)?;
    inode.with_attributes(|attributes| attributes.links = if inode.is_directory() { 2 } else { 1 });
    names.insert(name, inode);
    inode.set_home(directory);
    directory.with_attributes(|attributes| {
        attributes.links += u32::from(inode.is_directory());
        attributes.mark_modified();
    });
    Ok(())
}

/// Adds one more name: link(2).
///
/// # Errors
/// As [`add_first`]; `ENOENT` also if the last name was removed meanwhile. `EMLINK`: the count is full.
pub(crate) fn add_link(directory: &Arc<Inode>, name: &[u8], inode: &Arc<Inode>) -> Result<(), Errno> {
    let mut names = directory.directory()?.names.lock();
    names.check_vacant(name)?;
    let is_first = inode.with_attributes(|attributes| {
        let is_first = attributes.links == 0;
        if is_first && !attributes.is_linkable {
            return Err(Errno::ENOENT);
        }
        attributes.links = attributes.links.checked_add(1).ok_or(Errno::EMLINK)?;
        attributes.is_linkable = false;
        attributes.mark_changed();
        Ok(is_first)
    })?;
    names.insert(name, inode);
    if is_first {
        inode.set_home(directory);
    }
    directory.with_attributes(Attributes::mark_modified);
    Ok(())
}

/// Removes a name, if `accept` agrees with what it leads to; a directory must be empty.
///
/// # Errors
/// `ENOENT`: no such name. `ENOTEMPTY`, `EBUSY`: a directory that holds names, or a mounted file system. Those
/// of `accept`. Nothing was removed.
pub(crate) fn remove(
    directory: &Arc<Inode>,
    name: &[u8],
    accept: impl FnOnce(&Arc<Inode>) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut names = directory.directory()?.names.lock();
    let inode = names.find(name)?.clone();
    accept(&inode)?;
    if let Ok(directory) = inode.directory() {
        directory.close()?;
    }
    let entry = names.remove(name);
    forget(directory, &inode);
    directory.with_attributes(Attributes::mark_modified);
    drop(names);
    // The last reference may free a whole file: not under the lock.
    drop((entry, inode));
    Ok(())
}

/// Settles the counts after a name in `directory` stopped leading to `inode` (a closed one, if a directory).
pub(super) fn forget(directory: &Arc<Inode>, inode: &Arc<Inode>) {
    inode.with_attributes(|attributes| {
        attributes.links = if inode.is_directory() { 0 } else { attributes.links.saturating_sub(1) };
        attributes.mark_changed();
    });
    if inode.is_directory() {
        directory.with_attributes(|attributes| attributes.links -= 1);
    }
}
