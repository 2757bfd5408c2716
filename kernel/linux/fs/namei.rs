//! Creates, links, removes and renames files by path.
//!
//! Owns: permission checks, and which forms of paths are rejected.   Not here: the directories themselves (`tmpfs`).
//! Source: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2); Linux 6.1 fs/namei.c
//! (`filename_create`, `may_create`, `may_delete`).

use alloc::boxed::Box;
use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::access::Access;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;
use rules::linux::inotify::mask::Happened;

use super::mount::Location;
use super::notify;
use super::path::{Last, Origin, Walk};
use super::tmpfs::directory::Directory;
use super::tmpfs::inode::{Content, Inode};
use super::tmpfs::names::{self, Name};
use super::tmpfs::regular::Regular;
use super::tmpfs::rename::{self, ExistingName, Moved, Place};

/// The kind and contents of a file to create.
pub(crate) enum NewFile {
    /// An empty directory.
    Directory,
    /// An empty regular file.
    Regular,
    /// A symbolic link to a path.
    Symlink(Box<[u8]>),
    /// Any other kind of file.
    Special(Content),
}

/// Creates a file at a path that does not exist yet.
///
/// # Errors
/// Nothing was created. `EEXIST`: the path exists. `ENOENT`: slashes follow the name of anything but a directory, or
/// the parent was removed. `EACCES`: the parent is not writable. `ENOSPC`, and those of [`super::path::lookup`].
pub(crate) fn make(
    origin: &Origin,
    path: &[u8],
    new: NewFile,
    permissions: Permissions,
) -> Result<Location, Errno> {
    let mut walk = Walk::new(origin);
    let Last::Name { name, slash } = walk.up_to_last(path)? else {
        return Err(Errno::EEXIST);
    };
    match walk.at.inode.find(&name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    if slash && !matches!(new, NewFile::Directory) {
        return Err(Errno::ENOENT);
    }
    make_at(origin, &walk.at, &name, new, permissions)
}

/// Creates a file with that name in `directory`.
///
/// # Errors
/// As [`make`].
pub(crate) fn make_at(
    origin: &Origin,
    directory: &Location,
    name: &[u8],
    new: NewFile,
    permissions: Permissions,
) -> Result<Location, Errno> {
    let parent = &directory.inode;
    parent.directory()?.check_makes()?;
    parent.check(&origin.credentials, Access::WRITE | Access::EXECUTE)?;
    let inode = make_nameless(origin, parent, new, permissions)?;
    let name = names::add_first(parent, name, &inode)?;
    notify::of_name(parent, Happened::CREATE, &inode, &name);
    Ok(directory.sibling(inode))
}

/// Creates a file without a name in `parent`'s file system; it inherits from `parent` as a named one would.
///
/// # Errors
/// `ENOSPC`: the file system has as many inodes as it may have.
pub(crate) fn make_nameless(
    origin: &Origin,
    parent: &Arc<Inode>,
    new: NewFile,
    permissions: Permissions,
) -> Result<Arc<Inode>, Errno> {
    let mut owner = origin.credentials.clone();
    let mut permissions = permissions.masked_by(origin.umask);
    let inherited = parent.attributes();
    if inherited.permissions.contains(Permissions::SET_GID) {
        // A user cannot create a set-group-ID file for a group that the user is not in (`mode_strip_sgid`).
        let may_give = owner.is_in(inherited.gid) || owner.can(Capability::FSETID);
        owner.groups.file = inherited.gid;
        if matches!(new, NewFile::Directory) {
            permissions |= Permissions::SET_GID;
        } else if permissions.contains(Permissions::GROUP_EXECUTE) && !may_give {
            permissions -= Permissions::SET_GID;
        }
    }
    let content = match new {
        NewFile::Directory => Content::Directory(Directory::new(Arc::downgrade(parent))),
        NewFile::Regular => Content::Regular(Regular::new()),
        NewFile::Symlink(target) => {
            permissions = Permissions::from_mode(0o777);
            Content::Symlink(target)
        }
        NewFile::Special(content) => content,
    };
    Inode::new(parent.superblock(), content, permissions, &owner)
}

/// Gives a file one more name.
///
/// # Errors
/// No link was made. `EPERM`: a directory. `EXDEV`: another file system. `EEXIST`, `ENOENT`, `EACCES`, as [`make`].
pub(crate) fn link(origin: &Origin, file: &Location, path: &[u8]) -> Result<(), Errno> {
    let mut walk = Walk::new(origin);
    let Last::Name { name, slash } = walk.up_to_last(path)? else {
        return Err(Errno::EEXIST);
    };
    let directory = &walk.at.inode;
    match directory.find(&name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if slash => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    if !Arc::ptr_eq(&walk.at.mount, &file.mount) {
        return Err(Errno::EXDEV);
    }
    directory.check(&origin.credentials, Access::WRITE | Access::EXECUTE)?;
    if file.inode.is_directory() {
        return Err(Errno::EPERM);
    }
    let name = names::add_link(directory, &name, &file.inode)?;
    notify::of_inode(&file.inode, Happened::ATTRIB);
    notify::of_name(directory, Happened::CREATE, &file.inode, &name);
    Ok(())
}

/// Removes a name of anything but a directory: unlink(2).
///
/// # Errors
/// Nothing was removed. `EISDIR`: a directory. `ENOENT`: no such name. `EACCES`, `EPERM`: the directory is not
/// writable, or it is sticky and the caller owns neither it nor the file. `EBUSY`. Those of [`super::path::lookup`].
pub(crate) fn unlink(origin: &Origin, path: &[u8]) -> Result<(), Errno> {
    let mut walk = Walk::new(origin);
    let Last::Name { name, slash } = walk.up_to_last(path)? else {
        return Err(Errno::EISDIR);
    };
    let directory = &walk.at.inode;
    let (name, inode) = names::remove(directory, &name, |inode| {
        if slash {
            return Err(if inode.is_directory() { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        check_removal(&origin.credentials, directory, inode)?;
        if inode.is_directory() { Err(Errno::EISDIR) } else { Ok(()) }
    })?;
    notify::of_inode(&inode, Happened::ATTRIB);
    notify_removal(directory, inode, &name);
    Ok(())
}

/// Drops a file that has lost a name, which may end it, and then tells those who watch the directory.
fn notify_removal(directory: &Arc<Inode>, inode: Arc<Inode>, name: &Name) {
    let happened = notify::with_kind(&inode, Happened::DELETE);
    drop(inode);
    notify::of_entry(directory, happened, name, 0);
}

/// Removes an empty directory: rmdir(2).
///
/// # Errors
/// Nothing was removed. `ENOTEMPTY`: the directory has entries, or the path ends in `..`. `EINVAL`: the path ends in
/// `.`. `EBUSY`: it is the root or a mount point. `ENOTDIR`: not a directory. Otherwise as [`unlink`].
pub(crate) fn remove_directory(origin: &Origin, path: &[u8]) -> Result<(), Errno> {
    let mut walk = Walk::new(origin);
    let name = match walk.up_to_last(path)? {
        Last::Name { name, .. } => name,
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
        Last::Root => return Err(Errno::EBUSY),
    };
    let directory = &walk.at.inode;
    let (name, inode) = names::remove(directory, &name, |inode| {
        check_removal(&origin.credentials, directory, inode)?;
        inode.directory().map(|_| ())
    })?;
    notify_removal(directory, inode, &name);
    Ok(())
}

/// A path and where it begins.
#[derive(Clone, Copy)]
pub(crate) struct PathAt<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) path: &'a [u8],
}

/// Renames a file: rename(2), renameat2(2).
///
/// # Errors
/// Nothing was renamed. `EXDEV`: to another mount. `EBUSY`: a path ends in `.` or `..` or is the root (`EEXIST` if
/// `taken` is `Refuse`). `ENOTDIR`: slashes follow a file that is not a directory. `EACCES`, `EPERM`, as [`unlink`].
/// Those of [`rename::rename`].
pub(crate) fn rename(from: PathAt<'_>, to: PathAt<'_>, taken: ExistingName) -> Result<(), Errno> {
    let credentials = &from.origin.credentials;
    let (mut old, mut new) = (Walk::new(from.origin), Walk::new(to.origin));
    let (old_last, new_last) = (old.up_to_last(from.path)?, new.up_to_last(to.path)?);
    if !Arc::ptr_eq(&old.at.mount, &new.at.mount) {
        return Err(Errno::EXDEV);
    }
    let Last::Name { name: old_name, slash: old_slash } = old_last else {
        return Err(Errno::EBUSY);
    };
    let Last::Name { name: new_name, slash: new_slash } = new_last else {
        return Err(if taken == ExistingName::Refuse { Errno::EEXIST } else { Errno::EBUSY });
    };
    let (old_directory, new_directory) = (&old.at.inode, &new.at.inode);
    let old_place = Place { directory: old_directory, name: &old_name };
    let new_place = Place { directory: new_directory, name: &new_name };
    let moved = rename::rename(old_place, new_place, taken, |source, target| {
        if taken == ExistingName::Exchange && new_slash && !target.is_some_and(|target| target.is_directory())
        {
            return Err(Errno::ENOTDIR);
        }
        let behind_slash = old_slash || new_slash && taken != ExistingName::Exchange;
        if behind_slash && !source.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        check_removal(credentials, old_directory, source)?;
        match target {
            Some(target) => check_removal(credentials, new_directory, target)?,
            None => new_directory.check(credentials, Access::WRITE | Access::EXECUTE)?,
        }
        // Moving a directory changes its `..`, which is a write to the directory itself.
        let moves = !Arc::ptr_eq(old_directory, new_directory);
        let rewritten = |inode: &Inode| {
            if moves && inode.is_directory() { inode.check(credentials, Access::WRITE) } else { Ok(()) }
        };
        rewritten(source)?;
        match target {
            Some(target) if taken == ExistingName::Exchange => rewritten(target),
            _ => Ok(()),
        }
    })?;
    if let Some(moved) = moved {
        notify_rename(old_directory, new_directory, &moved, taken);
    }
    Ok(())
}

/// Tells those who watch the directories and the files. A file that was replaced may end when `moved` is dropped.
fn notify_rename(old: &Arc<Inode>, new: &Arc<Inode>, moved: &Moved, taken: ExistingName) {
    notify::of_move((old, &moved.from), (new, &moved.to), &moved.source);
    match &moved.target {
        Some(target) if taken == ExistingName::Exchange => {
            notify::of_inode(&moved.source, Happened::MOVE_SELF);
            notify::of_move((new, &moved.to), (old, &moved.from), target);
            notify::of_inode(target, Happened::MOVE_SELF);
        }
        target => {
            if let Some(target) = target {
                notify::of_inode(target, Happened::ATTRIB);
            }
            notify::of_inode(&moved.source, Happened::MOVE_SELF);
        }
    }
}

/// Checks whether `inode`'s name may be removed from `directory`.
fn check_removal(credentials: &Credentials, directory: &Inode, inode: &Inode) -> Result<(), Errno> {
    directory.check(credentials, Access::WRITE | Access::EXECUTE)?;
    let parent = directory.ownership();
    let sticky = parent.permissions.contains(Permissions::STICKY);
    if sticky && parent.check_owner(credentials).is_err() {
        return inode.ownership().check_owner(credentials);
    }
    Ok(())
}

/// Returns the target of a symbolic link: readlink(2).
///
/// # Errors
/// `EINVAL`: not a symbolic link. Those of a dynamic link.
pub(crate) fn read_link(location: &Location) -> Result<alloc::vec::Vec<u8>, Errno> {
    location.inode.link_target().ok_or(Errno::EINVAL)?
}
