//! Files without a name, as places: what `/proc/PID/fd/N` leads to for a pipe, a socket, or an anonymous inode.
//!
//! Owns: the file system that they are in, which is not mounted in the tree.   Not here: the link (`linux/proc`).
//!
//! Such a file gets an inode when somebody follows its link, and keeps it as long as its open file description lives,
//! so that chmod(2) by that name has an effect on fstat(2). Each description has an inode of its own; on Linux both ends
//! of a pipe share one.
//! Why: decision 0128.
//! Source: Linux 6.1 fs/pipe.c (`pipefs`), net/socket.c (`sock_no_open`), fs/anon_inodes.c.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::linux::credentials::Credentials;
use spin::Once;

use super::mount::{self, Location};
use super::opened::{OpenedAt, Tells};
use super::tmpfs::dynamic::DynamicInode;
use super::tmpfs::inode::{Content, Inode};
use super::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;
use crate::core::object::pipe::{Pipe, PipeEnd};

/// What the inode of a file without a name stands for. It does not keep an end of a pipe open.
pub(crate) struct Nameless {
    /// What the file said of itself.
    pub(crate) stat: Stat,
    /// What `/proc/PID/fd` shows.
    name: String,
    pipe: Option<Arc<Pipe>>,
}

impl Nameless {
    /// Returns what `/proc/PID/fd` shows.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the type of the file; an anonymous inode, which has none, is like a socket for those who open it.
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_mode(self.stat.mode).unwrap_or(FileType::Socket)
    }

    /// Opens the file once more.
    ///
    /// # Errors
    /// `ENXIO`: only pipes can be opened.
    pub(crate) fn open(&self, access: AccessMode, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        self.pipe.as_ref().ok_or(Errno::ENXIO)?.open(access, flags)
    }
}

/// Returns the place of `file`, which was opened without one; `owner` owns it.
///
/// # Errors
/// `ENOSPC`: too many files have places.
pub(crate) fn place(file: &OpenFile, owner: Credentials) -> Result<&Location, Errno> {
    let opened = file.location_or(|| {
        let root = root()?;
        let stat = file.file().stat();
        let pipe = file.downcast::<PipeEnd>().map(|end| end.pipe().clone());
        let found = DynamicInode {
            number: stat.inode,
            permissions: Permissions::from_mode(stat.mode),
            content: Content::Nameless(Nameless { name: name(file), stat, pipe }),
            owner,
        };
        let inode = Inode::with_number(root.inode.superblock(), found)?;
        inode.with_attributes(|attributes| attributes.links = 1);
        Ok(OpenedAt::new(root.sibling(inode), file.access(), Tells::Nothing))
    })?;
    Ok(opened.location())
}

/// Returns what `/proc/PID/fd` shows for a file without a name: its class and inode number.
pub(crate) fn name(file: &OpenFile) -> String {
    match file.file().class() {
        class @ (Class::Pipe | Class::Socket) => format!("{}:[{}]", class.name(), file.stat().inode),
        Class::Epoll => "anon_inode:[eventpoll]".to_owned(),
        Class::Inotify => "anon_inode:inotify".to_owned(),
        class => format!("anon_inode:[{}]", class.name()),
    }
}

/// Returns the number of the mount that files without a name are in.
pub(crate) fn mount_number() -> u64 {
    root().map_or(0, |root| root.mount.number())
}

fn root() -> Result<&'static Location, Errno> {
    static ROOT: Once<Location> = Once::new();
    ROOT.try_call_once(|| {
        let superblock = Superblock::new(FileSystemType::Tmpfs, SizeLimits::default());
        Inode::new_root(&superblock, Permissions::from_mode(0o700)).map(mount::outside)
    })
}
