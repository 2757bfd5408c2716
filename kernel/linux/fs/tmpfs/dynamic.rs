//! Dynamic directories: their entries are generated from what they stand for, as in `/proc/PID`.
//!
//! Each lookup makes a new inode; inodes of the same name have the same number.
//! Why: decision 0075.
//! Source: Linux 6.1 fs/proc/base.c.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::credentials::Credentials;
use rules::machine::fallible;
use spin::Once;

use super::inode::{Content, Inode};
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::mount::Location;
use crate::machine::memory::paged::PagedBytes;

/// Generates the names of a dynamic directory.
pub(crate) trait DynamicNames: Send + Sync {
    /// Returns what `name` leads to now.
    ///
    /// # Errors
    /// `ENOENT`: nothing, or no longer.
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno>;

    /// Returns the first names whose keys are at least `from`, by ascending key: [`LISTED_MOST`] of them, or all. None
    /// means that there are no more.
    fn list(&self, from: u64) -> Vec<Listed>;
}

/// How many names are listed at once, which bounds the memory that it takes. More than any fixed set of names has.
pub(crate) const LISTED_MOST: usize = 32;

/// The parts from which an inode is made.
pub(crate) struct DynamicInode {
    /// The inode number, unique in the file system.
    pub(crate) number: u64,
    /// Its contents.
    pub(crate) content: Content,
    /// Its permission bits.
    pub(crate) permissions: Permissions,
    /// Its owner and group.
    pub(crate) owner: Credentials,
}

/// A name as getdents(2) returns it.
pub(crate) struct Listed {
    /// Its key: the position in the order of names, below [`KEYS`].
    pub(crate) key: u64,
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The inode's number.
    pub(crate) number: u64,
    /// Its kind.
    pub(crate) file_type: FileType,
}

/// The target of a symbolic link in `/proc`.
pub(crate) struct Destination {
    /// The text that readlink(2) returns.
    pub(crate) text: Vec<u8>,
    /// The file that the link leads to, whatever its path; if `None`, the text is resolved as a path.
    pub(crate) place: Option<Location>,
}

/// Returns a link's target; called whenever the link is read or followed.
pub(crate) type DynamicLink = Box<dyn Fn() -> Result<Destination, Errno> + Send + Sync>;

/// The text of a generated file, which every open file that reads it shares.
pub(crate) type Text = Arc<PagedBytes>;

/// Generates a file's text; called whenever the file is read from its start.
pub(crate) type GeneratedText = Box<dyn Fn() -> Result<Text, Errno> + Send + Sync>;

/// Makes a text of some bytes.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Result<Text, Errno> {
    let mut text = PagedBytes::default();
    text.push(bytes.as_ref())?;
    fallible::shared(text)
}

/// A file whose text is generated.
pub(crate) struct GeneratedFile {
    /// The text.
    pub(crate) text: GeneratedText,
    /// Whether epoll(7) takes it, and what it then tells.
    pub(crate) changes: FileChanges,
}

/// A file that decides at open(2) what its reader gets, and may take what is written to it.
pub(crate) trait Control: Send + Sync {
    /// Returns what generates the text for one open file.
    ///
    /// # Errors
    /// The file cannot be opened. `EACCES`: the caller may not look into what the file describes. `ESRCH`: it is gone.
    fn open(&self) -> Result<GeneratedText, Errno>;

    /// Returns whether epoll(7) takes it, and what it then tells.
    fn changes(&self) -> FileChanges {
        FileChanges::Refused
    }

    /// Takes what a program wrote in one call and returns how many bytes counted. `None`: nothing can be written.
    ///
    /// # Errors
    /// Nothing was changed. Those of the file.
    fn write(&self, text: &[u8]) -> Option<Result<usize, Errno>> {
        let _ = text;
        None
    }
}

/// The bound of keys; a cookie is a key plus [`FIRST_COOKIE`].
pub(crate) const KEYS: u64 = 1 << 40;

/// The first cookie of a generated name; lower ones belong to names that programs created.
pub(super) const FIRST_COOKIE: u64 = 1 << 41;

/// The generated names of a directory.
pub(super) struct DynamicDirectory {
    names: Box<dyn DynamicNames>,
    /// Where `..` leads. A strong reference, because no entry of the parent holds a dynamic directory.
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
}
