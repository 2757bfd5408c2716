//! Names that nobody made: a directory whose entries come and go with what they stand for, such as `/proc/PID`.
//!
//! An inode is made anew for each look at such a name; what it is known by is its number.
//! Why: decision 0075.
//! Source: Linux 6.1 fs/proc/base.c.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::credentials::Credentials;
use spin::Once;

use super::inode::{Content, Inode};
use crate::linux::fs::mount::Location;

/// What answers for the names in a directory.
pub(crate) trait DynamicNames: Send + Sync {
    /// What `name` leads to now.
    ///
    /// # Errors
    /// `ENOENT`: nothing, or not any more.
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno>;

    /// The names whose key is `from` or more, by rising keys.
    fn list(&self, from: u64) -> Vec<Listed>;
}

/// What an inode is to be made of.
pub(crate) struct DynamicInode {
    /// Its number, which tells it from all others in the file system.
    pub(crate) number: u64,
    /// What it holds.
    pub(crate) content: Content,
    /// Who may do what with it.
    pub(crate) permissions: Permissions,
    /// Whom it belongs to.
    pub(crate) owner: Credentials,
}

/// A name as getdents(2) shows it.
pub(crate) struct Listed {
    /// Its place in the order of names, below [`KEYS`].
    pub(crate) key: u64,
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The inode's number.
    pub(crate) number: u64,
    /// Its kind.
    pub(crate) file_type: FileType,
}

/// Where a link of `/proc` leads.
pub(crate) struct Destination {
    /// What readlink(2) tells.
    pub(crate) text: Vec<u8>,
    /// What following it leads to, whether or not a path does; else the text is the path.
    pub(crate) place: Option<Location>,
}

/// Asked whenever a link is read or followed.
pub(crate) type DynamicLink = Box<dyn Fn() -> Result<Destination, Errno> + Send + Sync>;

/// Makes the text of a file whenever it is read from its start.
pub(crate) type GeneratedFile = Box<dyn Fn() -> Result<Vec<u8>, Errno> + Send + Sync>;

/// How many keys there are; a cookie is a key and [`FIRST_COOKIE`].
pub(crate) const KEYS: u64 = 1 << 40;

/// Cookies from here on are of live names; those below are of names that somebody made.
pub(super) const FIRST_COOKIE: u64 = 1 << 41;

/// A directory's live names.
pub(super) struct DynamicDirectory {
    names: Box<dyn DynamicNames>,
    /// Where `..` leads. It is held, because nothing else holds a live directory.
    parent: Once<Arc<Inode>>,
}

impl DynamicDirectory {
    pub(super) fn new(names: Box<dyn DynamicNames>) -> Self {
        Self { names, parent: Once::new() }
    }

    pub(super) fn keep_parent(&self, parent: &Arc<Inode>) {
        self.parent.call_once(|| parent.clone());
    }

    pub(super) fn names(&self) -> &dyn DynamicNames {
        &*self.names
    }

    pub(super) fn parent(&self) -> Option<Arc<Inode>> {
        self.parent.get().cloned()
    }

    /// The name of the inode with that number.
    pub(super) fn name_of(&self, number: u64) -> Option<Arc<[u8]>> {
        let listed = self.names.list(0).into_iter().find(|listed| listed.number == number);
        listed.map(|listed| listed.name.into())
    }
}
