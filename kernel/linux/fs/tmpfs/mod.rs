//! tmpfs, a file system in memory: inodes, directories, and pages of file contents.

pub(crate) mod attributes;
pub(crate) mod dentry;
pub(crate) mod directory;
pub(crate) mod dynamic;
pub(crate) mod inode;
pub(crate) mod names;
pub(crate) mod regular;
pub(crate) mod rename;
pub(crate) mod superblock;
