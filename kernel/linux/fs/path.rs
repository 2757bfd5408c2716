//! Resolves paths to files.
//!
//! Owns: only the walk.   Not here: splitting a path into names (rules::linux::path).
//! Source: path_resolution(7); Linux 6.1 fs/namei.c (`path_lookupat`, `link_path_walk`).

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::access::Access;
use rules::linux::credentials::Credentials;
use rules::linux::inotify::mask::NameState;
use rules::linux::path::{self, SYMLINKS_MAX};
use rules::machine::fallible;

use super::memfd;
use super::mount::{self, Location};
use super::tmpfs::inode::{Content, Inode};
use crate::machine::memory::user::PATH_MAX;

/// Where path lookups start, and the credentials that they use.
#[derive(Clone)]
pub(crate) struct Origin {
    /// Start of relative paths: the working directory, or the directory of a `dirfd`.
    pub(crate) start: Location,
    /// The credentials that permissions are checked against.
    pub(crate) credentials: Credentials,
    /// The umask: permission bits that new files do not get.
    pub(crate) umask: Permissions,
}

/// What to do with a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LastLink {
    /// Follow it, as stat(2) does.
    Follow,
    /// Return the link itself, as lstat(2) does; slashes behind it still follow it.
    Keep,
}

/// The last component of a path that was walked up to there.
#[derive(Debug)]
pub(crate) enum Last {
    /// A name.
    Name {
        /// The name itself.
        name: Vec<u8>,
        /// Whether slashes follow it.
        slash: bool,
    },
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// The path consists of slashes only.
    Root,
}

/// Finds the file that `path` leads to.
///
/// # Errors
/// `ENOENT`: a name is missing, or the path is empty. `ENOTDIR`: a name before the last, or before slashes, is not a
/// directory. `EACCES`: a directory may not be searched. `ELOOP`: too many symbolic links. `ENAMETOOLONG`.
pub(crate) fn lookup(origin: &Origin, path: &[u8], last_link: LastLink) -> Result<Location, Errno> {
    let mut walk = Walk::new(origin);
    let mut path = Cow::Borrowed(path);
    loop {
        let (name, slash) = match walk.up_to_last(&path)? {
            Last::Name { name, slash } => (name, slash),
            Last::Dot | Last::Root => return Ok(walk.at),
            Last::DotDot => return walk.at.parent(),
        };
        let found = walk.child(&name)?;
        if (slash || last_link == LastLink::Follow)
            && let Some(link) = walk.follow(&found.inode)?
        {
            match link {
                LinkTarget::Path(link) => {
                    path = Cow::Owned(join(link, if slash { Some(b"") } else { None }));
                    continue;
                }
                LinkTarget::Place(place) if slash && !place.inode.is_directory() => {
                    return Err(Errno::ENOTDIR);
                }
                LinkTarget::Place(place) => return Ok(place),
            }
        }
        if slash && !found.inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        return Ok(found);
    }
}

/// The target of a symbolic link.
pub(crate) enum LinkTarget {
    /// A path to walk.
    Path(Vec<u8>),
    /// This place, whatever its path: a link in `/proc`.
    Place(Location),
}

/// A walk through the tree, which counts the symbolic links that it has followed.
pub(crate) struct Walk {
    /// The place that the walk has reached.
    pub(crate) at: Location,
    credentials: Credentials,
    links: u32,
}

impl Walk {
    /// Starts a walk.
    pub(crate) fn new(origin: &Origin) -> Self {
        Self { at: origin.start.clone(), credentials: origin.credentials.clone(), links: 0 }
    }

    /// Walks to the directory that contains the last name of `path`, whether or not that name exists.
    ///
    /// # Errors
    /// As [`lookup`], for all names before the last.
    pub(crate) fn up_to_last(&mut self, path: &[u8]) -> Result<Last, Errno> {
        let mut path = Cow::Borrowed(path);
        'path: loop {
            match path.first() {
                None => return Err(Errno::ENOENT),
                Some(b'/') => self.at = mount::root().clone().topmost(),
                Some(_) => {}
            }
            let mut rest = &path[..];
            while let Some(step) = path::first_step(rest) {
                self.at.inode.directory()?;
                self.at.inode.check(&self.credentials, Access::EXECUTE)?;
                if step.rest.is_empty() {
                    return Ok(match step.name {
                        b"." => Last::Dot,
                        b".." => Last::DotDot,
                        name => Last::Name { name: name.to_vec(), slash: step.slash },
                    });
                }
                match step.name {
                    b"." => {}
                    b".." => self.at = self.at.parent()?,
                    name => {
                        let next = self.child(name)?;
                        match self.follow(&next.inode)? {
                            None => self.at = next,
                            Some(LinkTarget::Place(place)) => self.at = place,
                            Some(LinkTarget::Path(link)) => {
                                path = Cow::Owned(join(link, Some(step.rest)));
                                continue 'path;
                            }
                        }
                    }
                }
                rest = step.rest;
            }
            return Ok(Last::Root);
        }
    }

    /// Finds `name` in the directory that the walk has reached; a mount hides the directory that it covers.
    ///
    /// # Errors
    /// `ENOENT`, `ENAMETOOLONG`.
    pub(crate) fn child(&self, name: &[u8]) -> Result<Location, Errno> {
        let (inode, dentry) = self.at.inode.find_with_dentry(name)?;
        Ok(Location { dentry, ..self.at.sibling(inode) }.topmost())
    }

    /// Returns the target of `inode` if it is a symbolic link, and counts it as followed.
    ///
    /// # Errors
    /// `ELOOP`: too many links were followed. Those of a dynamic link.
    pub(crate) fn follow(&mut self, inode: &Inode) -> Result<Option<LinkTarget>, Errno> {
        let target = match inode.content() {
            Content::Symlink(target) => Ok(LinkTarget::Path(target.to_vec())),
            Content::DynamicSymlink(link) => {
                link().map(|to| to.place.map_or(LinkTarget::Path(to.text), LinkTarget::Place))
            }
            _ => return Ok(None),
        };
        if self.links == SYMLINKS_MAX {
            return Err(Errno::ELOOP);
        }
        self.links += 1;
        inode.with_attributes(|attributes| attributes.mark_accessed());
        target.map(Some)
    }
}

/// Joins a link's path and the rest of the path behind the link.
fn join(mut link: Vec<u8>, rest: Option<&[u8]>) -> Vec<u8> {
    if let Some(rest) = rest {
        link.push(b'/');
        link.extend_from_slice(rest);
    }
    link
}

/// Returns the path from the root to a directory: getcwd(2).
///
/// # Errors
/// `ENOENT`: the directory was removed.
pub(crate) fn absolute(location: &Location) -> Result<Vec<u8>, Errno> {
    let (path, state) = last_path(location).ok_or(Errno::ENOENT)?;
    if state == NameState::Present { Ok(path) } else { Err(Errno::ENOENT) }
}

/// Returns the path from the root by which the file at `location` was found, as `/proc` shows it: marked if that name
/// was removed.
pub(crate) fn text(location: &Location) -> Vec<u8> {
    const MARK: &[u8] = b" (deleted)";
    if let Content::Nameless(nameless) = location.inode.content() {
        return nameless.name().as_bytes().to_vec();
    }
    if let Some(name) = memfd::text(&location.inode) {
        return name;
    }
    match last_path(location) {
        Some((path, NameState::Present)) => path,
        Some((mut path, NameState::Removed)) => {
            path.extend_from_slice(MARK);
            path
        }
        None => [b"/", MARK].concat(),
    }
}

/// Returns the path of `location`, and whether its last name was removed; `None`: its file system is gone.
fn last_path(location: &Location) -> Option<(Vec<u8>, NameState)> {
    let mut names = Vec::new();
    let mut state = NameState::Present;
    let mut at = location.clone();
    loop {
        while at.is_mount_root() {
            match at.mount.covers() {
                Some(covers) => at = covers.clone(),
                None => return Some((written_out(&names)?, state)),
            }
        }
        let place = at.dentry()?.place()?;
        if names.is_empty() {
            state = place.state;
        }
        add(&mut names, place.name).ok()?;
        at = at.sibling(place.directory);
    }
}

/// Returns the path of a file from the root of its file system, whatever is mounted where.
pub(crate) fn within(inode: &Arc<Inode>) -> Vec<u8> {
    let mut names = Vec::new();
    let mut at = inode.clone();
    while let Some(place) = at.dentry().and_then(|dentry| dentry.place()) {
        if add(&mut names, place.name).is_err() {
            break;
        }
        at = place.directory;
    }
    written_out(&names).unwrap_or_default()
}

/// Returns a place of a file that is known only as such, without the mount through which it was found: in the first
/// mount that shows it. `None`: no mount does.
pub(crate) fn of_inode(inode: &Arc<Inode>) -> Option<Location> {
    let mounts = mount::all();
    let mut at = inode.clone();
    loop {
        if let Some(mount) = mounts.iter().find(|mount| Arc::ptr_eq(mount.root(), &at)) {
            return Some(Location { mount: mount.clone(), inode: inode.clone(), dentry: None });
        }
        at = at.dentry()?.place()?.directory;
    }
}

/// Adds the name of the directory above.
///
/// # Errors
/// `ENAMETOOLONG`: the path is too deep for `PATH_MAX`; trees may be deeper. `ENOMEM`.
fn add(names: &mut Vec<Arc<[u8]>>, name: Arc<[u8]>) -> Result<(), Errno> {
    if names.len() >= PATH_MAX / 2 {
        return Err(Errno::ENAMETOOLONG);
    }
    fallible::push(names, name)
}

/// Returns the path of these names, the last of which is the first in the path. `None`: no memory.
fn written_out(names: &[Arc<[u8]>]) -> Option<Vec<u8>> {
    if names.is_empty() {
        return Some(b"/".to_vec());
    }
    let mut path = Vec::new();
    fallible::reserve_exact(&mut path, names.iter().map(|name| 1 + name.len()).sum()).ok()?;
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    Some(path)
}
