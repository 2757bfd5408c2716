//! A file system in memory: inodes, the names in directories, and pages with the bytes of files.

pub(crate) mod attributes;
pub(crate) mod directory;
pub(crate) mod dynamic;
pub(crate) mod inode;
pub(crate) mod names;
pub(crate) mod regular;
pub(crate) mod rename;
pub(crate) mod superblock;
