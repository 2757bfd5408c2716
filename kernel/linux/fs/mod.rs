//! The file system: the tree of names, lookup, and opening files.
//!
//! All file systems live in memory and share one kind of inode (`tmpfs`); device nodes, `/proc` and `/sys`
//! are the same inodes with other contents.

pub(crate) mod boot;
pub(crate) mod changes;
mod contents;
pub(crate) mod device;
pub(crate) mod devpts;
pub(crate) mod fifo;
pub(crate) mod generated;
pub(crate) mod initramfs;
pub(crate) mod lock;
pub(crate) mod memfd;
pub(crate) mod mount;
pub(crate) mod namei;
pub(crate) mod nameless;
pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod opened;
pub(crate) mod path;
pub(crate) mod record_lock;
pub(crate) mod stat;
pub(crate) mod time;
pub(crate) mod tmpfs;
pub(crate) mod tree;

#[cfg(ktest)]
mod tests;
