//! Path arguments: a directory descriptor, a path and `AT_` flags, resolved to a file.
//!
//! Source: openat(2); Linux 6.1 fs/namei.c (`getname_flags`, `path_init`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::core::fd::Fd;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::credentials::Credentials;

use super::context::{Caller, Context};
use crate::core::file::description::OpenFile;
use crate::linux::fs::mount::Location;
use crate::linux::fs::namei::{self, NewFile};
use crate::linux::fs::nameless;
use crate::linux::fs::opened::OpenedAt;
use crate::linux::fs::path::{self, LastLink, Origin};
use crate::linux::fs::tmpfs::inode::Content;
use crate::machine::memory::user;

/// The file that a path or an empty path leads to.
pub(crate) enum FoundFile {
    /// A place in the tree.
    Place(Location),
    /// A file without a place in the tree: a pipe, a socket.
    Elsewhere(Arc<OpenFile>),
}

/// How [`Context::find`] treats a link at the end of a path, and an empty path.
#[derive(Clone, Copy)]
pub(crate) struct Lookup {
    /// Whether a symbolic link at the end is followed.
    pub(crate) last_link: LastLink,
    /// Whether an empty path means the descriptor itself.
    pub(crate) empty_path: EmptyPath,
}

/// What an empty path leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EmptyPath {
    /// Nothing: `ENOENT`.
    Missing,
    /// The file behind the descriptor: `AT_EMPTY_PATH`.
    Descriptor,
}

impl Lookup {
    /// Follows a symbolic link at the end and rejects an empty path.
    pub(crate) const FOLLOW: Self = Self { last_link: LastLink::Follow, empty_path: EmptyPath::Missing };

    /// Finds a symbolic link at the end itself and rejects an empty path.
    pub(crate) const KEEP: Self = Self { last_link: LastLink::Keep, empty_path: EmptyPath::Missing };

    /// Reads `flags` for a system call that follows links by default.
    pub(crate) fn with(flags: AtFlags) -> Self {
        let keeps = flags.contains(AtFlags::SYMLINK_NOFOLLOW);
        let takes_empty = flags.contains(AtFlags::EMPTY_PATH);
        Self {
            last_link: if keeps { LastLink::Keep } else { LastLink::Follow },
            empty_path: if takes_empty { EmptyPath::Descriptor } else { EmptyPath::Missing },
        }
    }
}

/// Parses `AT_` flags.
///
/// # Errors
/// `EINVAL`: a flag that is not in `allowed`.
pub(crate) fn flags(raw: u32, allowed: AtFlags) -> Result<AtFlags, Errno> {
    AtFlags::from_bits(raw).filter(|flags| allowed.contains(*flags)).ok_or(Errno::EINVAL)
}

impl Context<'_> {
    /// Copies the path at a user address.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`.
    pub(crate) fn path(&self, address: usize) -> Result<Vec<u8>, Errno> {
        user::read_path(self.space(), address)
    }

    /// Returns the caller's credentials.
    pub(crate) fn credentials(&self) -> Credentials {
        self.process().credentials.lock().clone()
    }

    /// Returns where `path` begins: at the root, the working directory, or `directory`.
    ///
    /// # Errors
    /// `EBADF`: the path is relative and `directory` is not open. `ENOTDIR`: it is not a directory.
    pub(crate) fn origin_at(&self, directory: i32, path: &[u8]) -> Result<Origin, Errno> {
        let origin = self.origin();
        if directory == AT_FDCWD || path.first() == Some(&b'/') {
            return Ok(origin);
        }
        let file = self.files().get_any(descriptor(directory)?)?;
        // An empty path is an error, whatever the descriptor is.
        let start =
            place(&file).cloned().ok_or(if path.is_empty() { Errno::ENOENT } else { Errno::ENOTDIR })?;
        if !path.is_empty() {
            start.inode.directory()?;
        }
        Ok(Origin { start, ..origin })
    }

    /// Finds the file that the path at `address` leads to from `directory`.
    ///
    /// # Errors
    /// Those of [`Context::path`], [`Context::origin_at`] and [`path::lookup`].
    pub(crate) fn find(&self, directory: i32, address: usize, lookup: Lookup) -> Result<FoundFile, Errno> {
        let path = self.path(address)?;
        if !path.is_empty() || lookup.empty_path == EmptyPath::Missing {
            let origin = self.origin_at(directory, &path)?;
            return path::lookup(&origin, &path, lookup.last_link).map(FoundFile::Place);
        }
        if directory == AT_FDCWD {
            return Ok(FoundFile::Place(self.origin().start));
        }
        let file = self.files().get_any(descriptor(directory)?)?;
        Ok(match place(&file).cloned() {
            Some(location) => FoundFile::Place(location),
            None => FoundFile::Elsewhere(file),
        })
    }

    /// Finds a file as [`Context::find`] does, where only a place in the tree will do.
    ///
    /// # Errors
    /// As [`Context::find`]. `EINVAL`: the file has no place.
    pub(crate) fn locate(&self, directory: i32, address: usize, lookup: Lookup) -> Result<Location, Errno> {
        match self.find(directory, address, lookup)? {
            FoundFile::Place(location) => Ok(location),
            FoundFile::Elsewhere(_) => Err(Errno::EINVAL),
        }
    }
}

impl Context<'_> {
    /// Creates a file at the path at `address`, relative to `directory`.
    ///
    /// # Errors
    /// Those of [`Context::path`], [`Context::origin_at`] and [`namei::make`].
    pub(crate) fn make(
        &self,
        directory: i32,
        address: usize,
        new: NewFile,
        permissions: Permissions,
    ) -> Result<usize, Errno> {
        let path = self.path(address)?;
        namei::make(&self.origin_at(directory, &path)?, &path, new, permissions)?;
        Ok(0)
    }
}

/// Converts a directory argument to a descriptor.
fn descriptor(directory: i32) -> Result<Fd, Errno> {
    u32::try_from(directory).map(Fd::new).map_err(|_| Errno::EBADF)
}

/// Returns the place in the tree at which an open file was found, if it has one.
pub(crate) fn place(file: &OpenFile) -> Option<&Location> {
    let place = file.location().map(OpenedAt::location)?;
    if matches!(place.inode.content(), Content::Nameless(_)) { None } else { Some(place) }
}

impl Context<'_> {
    /// Returns the place of an open file; one without a name gets an inode of its own, so that its attributes can be
    /// changed.
    ///
    /// # Errors
    /// `ENOSPC`: no inode is left.
    pub(crate) fn place_of<'f>(&self, file: &'f OpenFile) -> Result<&'f Location, Errno> {
        nameless::place(file, self.credentials())
    }
}
