//! Where in the tree of files an open file description was opened.
//!
//! Not here: the tree (`linux/fs`), which gets its own type back with [`OpenFile::location`].
//!
//! [`OpenFile::location`]: super::description::OpenFile::location

use core::any::Any;

use rules::abi::stat::Stat;

/// A place in the tree, which lives as long as the description: Linux's `f_path`.
pub(crate) trait Location: Any + Send + Sync {
    /// What fstat(2) tells of the inode there, whatever file it leads to.
    fn stat(&self) -> Stat;
}
