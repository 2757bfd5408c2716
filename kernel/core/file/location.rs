//! Where in the file tree a description was opened.
//!
//! Not here: the tree (`linux/fs`), which gets its own type back from [`OpenFile::location`].
//!
//! [`OpenFile::location`]: super::description::OpenFile::location

use core::any::Any;

use rules::abi::open::AccessMode;
use rules::abi::stat::Stat;

/// A location in the tree, kept as long as the description: Linux's `f_path`.
pub(crate) trait Location: Any + Send + Sync {
    /// Returns what fstat(2) reports about the inode there, whatever file it leads to.
    fn stat(&self) -> Stat;

    /// Tells those who watch the file that a system call has read or written it.
    fn tell(&self, transfer: AccessMode);
}
