//! From a path to a file.
//!
//! Owns: nothing but the walk itself.   Not here: how a path falls into names (rules::linux::path).
//! Source: path_resolution(7); Linux 6.1 fs/namei.c (`path_lookupat`, `link_path_walk`).

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::access::Access;
use rules::linux::credentials::Credentials;
use rules::linux::path::{self, SYMLINKS_MAX};

use super::mount::{self, Location};
use super::tmpfs::inode::{Content, Inode};

/// Where paths begin and on whose behalf they are walked.
#[derive(Clone)]
pub(crate) struct Origin {
    /// Where relative paths begin: the working directory, or what a `dirfd` has open.
    pub(crate) start: Location,
    /// Who asks.
    pub(crate) credentials: Credentials,
    /// The permissions that new files do not get: umask(2).
    pub(crate) umask: Permissions,
}

/// What becomes of a symbolic link that a path ends in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LastLink {
    /// It is followed, as stat(2) does.
    Follow,
    /// It is what is looked for, as with lstat(2); slashes behind it follow it all the same.
    Keep,
}

/// The end of a path that was walked up to its last name.
#[derive(Debug)]
pub(crate) enum Last {
    /// A name.
    Name {
        /// The name itself.
        name: Vec<u8>,
        /// Whether slashes came behind it.
        slash: bool,
    },
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// Nothing but slashes.
    Root,
}

/// Finds the file that `path` leads to.
///
/// # Errors
/// `ENOENT`: a name is missing, or the path is empty. `ENOTDIR`: a name before the last, or before slashes, is not
/// a directory. `EACCES`: a directory may not be searched. `ELOOP`: too many symbolic links. `ENAMETOOLONG`.
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

/// Where a symbolic link leads.
pub(crate) enum LinkTarget {
    /// To where this path does.
    Path(Vec<u8>),
    /// There, whatever its path: a link of `/proc`.
    Place(Location),
}

/// A walk through the tree; the symbolic links that it followed count until its end.
pub(crate) struct Walk {
    /// How far it came.
    pub(crate) at: Location,
    credentials: Credentials,
    links: u32,
}

impl Walk {
    /// A walk that has not begun.
    pub(crate) fn new(origin: &Origin) -> Self {
        Self { at: origin.start.clone(), credentials: origin.credentials, links: 0 }
    }

    /// Walks to the directory that the last name of `path` is in, whether or not that name exists.
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
                self.at.inode.check(self.credentials, Access::EXECUTE)?;
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

    /// What `name` leads to in the directory the walk came to; a mount shows in place of what it covers.
    ///
    /// # Errors
    /// `ENOENT`, `ENAMETOOLONG`.
    pub(crate) fn child(&self, name: &[u8]) -> Result<Location, Errno> {
        let inode = self.at.inode.find(name)?;
        Ok(self.at.sibling(inode).topmost())
    }

    /// What `inode` stands for, if it is a symbolic link, counted as followed.
    ///
    /// # Errors
    /// `ELOOP`: one too many. Those of a live link.
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

/// A link's path, and what came after the link.
fn join(mut link: Vec<u8>, rest: Option<&[u8]>) -> Vec<u8> {
    if let Some(rest) = rest {
        link.push(b'/');
        link.extend_from_slice(rest);
    }
    link
}

/// The path from the root to a directory: getcwd(2).
///
/// # Errors
/// `ENOENT`: the directory was removed, or is in a mount that was taken out of the tree.
pub(crate) fn absolute(location: &Location) -> Result<Vec<u8>, Errno> {
    let mut names = Vec::new();
    let mut at = location.clone();
    loop {
        while at.is_mount_root() {
            match at.mount.covers() {
                Some(covers) => at = covers.clone(),
                None => return Ok(written_out(&names)),
            }
        }
        let parent = at.inode.directory()?.parent().ok_or(Errno::ENOENT)?;
        names.push(parent.directory()?.name_of(&at.inode).ok_or(Errno::ENOENT)?);
        at = at.sibling(parent);
    }
}

/// The path by which a file was named last; `None` if that name is gone.
pub(crate) fn of_inode(inode: &Arc<Inode>) -> Option<Vec<u8>> {
    let mut names = Vec::new();
    let mut at = inode.clone();
    let mount = loop {
        let mounts = mount::all();
        if let Some(mount) = mounts.into_iter().find(|mount| Arc::ptr_eq(mount.root(), &at)) {
            break mount;
        }
        let home = at.home()?;
        names.push(home.directory().ok()?.name_of(&at)?);
        at = home;
    };
    let mut path = match mount.covers() {
        Some(covers) => absolute(covers).ok()?,
        None => Vec::new(),
    };
    if path == b"/" {
        path.clear();
    }
    path.extend(written_out(&names));
    if names.is_empty() && path.len() > 1 {
        path.pop();
    }
    Some(path)
}

/// The path from the root to the file that `path` leads to, without links: realpath(3).
///
/// # Errors
/// As [`lookup`] and [`absolute`].
pub(crate) fn real(origin: &Origin, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut path = path.to_vec();
    for _ in 0..=SYMLINKS_MAX {
        let location = lookup(origin, &path, LastLink::Keep)?;
        if location.inode.is_directory() {
            return absolute(&location);
        }
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => path.split_at(slash + 1),
            None => (&b"./"[..], &path[..]),
        };
        let Some(target) = location.inode.link_target() else {
            let mut real = absolute(&lookup(origin, directory, LastLink::Follow)?)?;
            if real.last() != Some(&b'/') {
                real.push(b'/');
            }
            real.extend_from_slice(name);
            return Ok(real);
        };
        let target = target?;
        path = if target.starts_with(b"/") { target } else { [directory, &target].concat() };
    }
    Err(Errno::ELOOP)
}

fn written_out(names: &[Arc<[u8]>]) -> Vec<u8> {
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}
