//! Opens a file by path and flags: open(2).
//!
//! Not here: descriptors and open file descriptions (`core/file`), which keep `O_NONBLOCK` and `O_APPEND`; waiting for
//! the other end of a FIFO (`syscall/open`).
//! Source: open(2); Linux 6.1 fs/namei.c (`open_last_lookups`, `do_open`, `may_open`).

use alloc::format;
use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::abi::open::{AccessMode, OpenFlags};
use rules::linux::access::Access;
use rules::linux::credentials::Credentials;
use rules::linux::inotify::mask::Happened;

use super::device;
use super::generated::OpenGeneratedFile;
use super::mount::Location;
use super::namei::{self, NewFile};
use super::notify;
use super::opened::{OpenedAt, Tells};
use super::path::{self, Last, LastLink, Origin, Walk};
use super::tmpfs::dentry::Dentry;
use super::tmpfs::inode::Content;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;

/// How to open a file: access mode, flags and permissions, as in `struct open_how`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenHow {
    /// Access mode.
    pub(crate) access: AccessMode,
    /// The other flags.
    pub(crate) flags: OpenFlags,
    /// The permissions of a file that is created, before the umask.
    pub(crate) permissions: Permissions,
}

impl OpenHow {
    /// Parses the flags of open(2) and rejects contradictory ones.
    ///
    /// # Errors
    /// `EINVAL`: `O_TMPFILE` without write access.
    pub(crate) fn parse(raw: u32, mode: u32) -> Result<Self, Errno> {
        let mut flags = OpenFlags::from_flags(raw);
        let mut access = AccessMode::from_flags(raw);
        if flags.contains(OpenFlags::PATH) {
            // open(2): with O_PATH all other flags are ignored except these.
            flags &= OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NO_FOLLOW | OpenFlags::CLOSE_ON_EXEC;
            access = AccessMode::Read;
        }
        if flags.contains(OpenFlags::TEMPORARY) && (!flags.contains(OpenFlags::DIRECTORY) || !access.writes())
        {
            return Err(Errno::EINVAL);
        }
        Ok(Self { access, flags, permissions: Permissions::from_mode(mode) })
    }

    fn has(&self, flags: OpenFlags) -> bool {
        self.flags.contains(flags)
    }

    fn last_link(&self) -> LastLink {
        if self.has(OpenFlags::NO_FOLLOW) { LastLink::Keep } else { LastLink::Follow }
    }

    /// Returns the permissions that the file must grant.
    fn wanted(&self) -> Access {
        let mut wanted = match self.access {
            AccessMode::Read => Access::READ,
            AccessMode::Write => Access::WRITE,
            AccessMode::ReadWrite | AccessMode::Neither => Access::READ | Access::WRITE,
        };
        if self.has(OpenFlags::TRUNCATE) {
            wanted |= Access::WRITE;
        }
        wanted
    }
}

/// An opened file and its location, without an open file description yet.
pub(crate) struct Opened {
    /// The place in the tree.
    pub(crate) location: Location,
    /// The object that is read and written: the inode itself, or the device or FIFO that it stands for.
    pub(crate) file: Arc<dyn File>,
}

impl Opened {
    /// Opens the inode at `location` itself.
    pub(crate) fn contents(location: Location) -> Self {
        Self { file: location.inode.clone(), location }
    }

    /// Makes the open file description.
    ///
    /// # Errors
    /// `ENOMEM`: only the emergency reserve is left.
    pub(crate) fn describe(self, access: AccessMode, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let tells = if flags.contains(OpenFlags::PATH) { Tells::Nothing } else { Tells::Everything };
        OpenFile::new_at(OpenedAt::new(self.location, access, tells), self.file, access, flags)
    }
}

/// Opens the file that `path` leads to, or creates it if the flags say so.
///
/// # Errors
/// Nothing was opened or created. `EEXIST`, `EISDIR`, `ENOTDIR`, `ELOOP`, `EACCES`, `EPERM`: the flags do not fit the
/// file. `ENXIO`: the device has no driver. Those of [`path::lookup`] and [`namei::make`].
pub(crate) fn open(origin: &Origin, path: &[u8], how: OpenHow) -> Result<Opened, Errno> {
    if how.has(OpenFlags::TEMPORARY) {
        return open_temporary(origin, path, how);
    }
    if how.has(OpenFlags::CREATE) {
        return open_or_make(origin, path, how);
    }
    let location = path::lookup(origin, path, how.last_link())?;
    open_found(location, how, &origin.credentials)
}

/// Opens a file that a lookup has already found.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_found(
    location: Location,
    how: OpenHow,
    credentials: &Credentials,
) -> Result<Opened, Errno> {
    let inode = &location.inode;
    let file_type = inode.file_type();
    if how.has(OpenFlags::DIRECTORY) && file_type != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    if how.has(OpenFlags::PATH) {
        // O_PATH: the description rejects every operation on the file.
        return Ok(Opened::contents(location));
    }
    match file_type {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Directory if how.wanted().contains(Access::WRITE) => return Err(Errno::EISDIR),
        _ => {}
    }
    inode.check(credentials, how.wanted())?;
    if how.has(OpenFlags::NO_ACCESS_TIME) {
        inode.ownership().check_owner(credentials)?;
    }
    if how.has(OpenFlags::TRUNCATE) && matches!(inode.content(), Content::Regular(_)) {
        inode.drop_rights(credentials);
    }
    open_permitted(location, how)
}

fn open_permitted(location: Location, how: OpenHow) -> Result<Opened, Errno> {
    let inode = &location.inode;
    let file: Arc<dyn File> = match inode.content() {
        Content::Directory(_) => inode.clone(),
        Content::Regular(regular) => {
            if how.has(OpenFlags::TRUNCATE) {
                regular.truncate(inode.superblock(), 0)?;
                inode.with_attributes(|attributes| attributes.mark_modified());
                notify::of_file(&location, Happened::MODIFY);
            }
            inode.clone()
        }
        Content::GeneratedFile(_) | Content::Setting(_) => Arc::new(OpenGeneratedFile::new(inode.clone())),
        Content::Control(control) => Arc::new(OpenGeneratedFile::controlled(inode.clone(), control.open()?)),
        Content::Device(kind, number) => device::open(*kind, *number, how.flags)?,
        Content::Fifo(fifo) => fifo.open(how.access, how.flags)?,
        Content::Nameless(nameless) => nameless.open(how.access, how.flags)?,
        Content::Socket => return Err(Errno::ENXIO),
        Content::Symlink(_) | Content::DynamicSymlink(_) => return Err(Errno::ELOOP),
    };
    Ok(Opened { location, file })
}

fn open_or_make(origin: &Origin, path: &[u8], how: OpenHow) -> Result<Opened, Errno> {
    let mut walk = Walk::new(origin);
    let mut path = path.to_vec();
    loop {
        let Last::Name { name, slash: false } = walk.up_to_last(&path)? else {
            return Err(Errno::EISDIR);
        };
        let found = match walk.child(&name) {
            Ok(_) if how.has(OpenFlags::EXCLUSIVE) => return Err(Errno::EEXIST),
            Ok(found) => found,
            Err(Errno::ENOENT) if how.has(OpenFlags::DIRECTORY) => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) => {
                match namei::make_at(origin, &walk.at, &name, NewFile::Regular, how.permissions) {
                    // Another thread has created the name in the meantime.
                    Err(Errno::EEXIST) => continue,
                    // The creator may use the file as it was opened, whatever its permissions are.
                    made => {
                        let flags = how.flags - OpenFlags::TRUNCATE;
                        return open_permitted(made?, OpenHow { flags, ..how });
                    }
                }
            }
            Err(error) => return Err(error),
        };
        if !how.has(OpenFlags::NO_FOLLOW)
            && let Some(link) = walk.follow(&found.inode)?
        {
            match link {
                path::LinkTarget::Path(link) => {
                    path = link;
                    continue;
                }
                path::LinkTarget::Place(place) => return open_found(place, how, &origin.credentials),
            }
        }
        if found.inode.is_directory() {
            return Err(Errno::EISDIR);
        }
        return open_found(found, how, &origin.credentials);
    }
}

fn open_temporary(origin: &Origin, path: &[u8], how: OpenHow) -> Result<Opened, Errno> {
    let directory = path::lookup(origin, path, how.last_link())?;
    directory.inode.directory()?;
    directory.inode.check(&origin.credentials, Access::WRITE | Access::EXECUTE)?;
    let inode = namei::make_nameless(origin, &directory.inode, NewFile::Regular, how.permissions)?;
    // open(2): with O_EXCL, an O_TMPFILE file cannot be linked into the tree later.
    inode.with_attributes(|attributes| attributes.is_linkable = !how.has(OpenFlags::EXCLUSIVE));
    let name = format!("#{}", inode.number());
    let dentry = Some(Dentry::nameless(&directory.inode, name.as_bytes()));
    open_permitted(Location { dentry, ..directory.sibling(inode) }, how)
}
