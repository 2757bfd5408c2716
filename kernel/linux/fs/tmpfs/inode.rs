//! A file, whatever its kind and whether or not a name leads to it.
//!
//! Owns: the attributes, under a lock of their own, and the contents, which lock for themselves.
//! Not here: the names that lead here (each directory has its own), offsets and flags of open files.
//! Lock order: a directory's names before anybody's attributes; nothing is locked under attributes.
//! Why: decision 0020.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use ostd::mm::UFrame;
use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::abi::device::DeviceNumber;
use rules::linux::access::{Access, Ownership};
use rules::linux::credentials::Credentials;
use rules::linux::seals::Sharing;

use super::attributes::Attributes;
use super::directory::Directory;
use super::dynamic::{self, DynamicLink, GeneratedFile};
use super::regular::Regular;
use super::superblock::Superblock;
use crate::machine::memory::pages::{PageError, Pages, SharedMapping};

/// A file in memory.
pub(crate) struct Inode {
    superblock: Arc<Superblock>,
    number: u64,
    content: Content,
    attributes: SpinLock<Attributes>,
    /// The directory where it got its last name, for telling a path: one of those that lead here.
    home: SpinLock<Weak<Inode>>,
}

/// What an inode holds; its kind never changes.
pub(crate) enum Content {
    /// Names.
    Directory(Directory),
    /// Bytes.
    Regular(Regular),
    /// The path that a symbolic link stands for.
    Symlink(Box<[u8]>),
    /// A symbolic link whose path depends on who reads it, such as `/proc/self/exe`.
    DynamicSymlink(DynamicLink),
    /// A text that is made when it is read, such as `/proc/meminfo`.
    GeneratedFile(GeneratedFile),
    /// A name for a device.
    Device(DeviceKind, DeviceNumber),
    /// A named pipe.
    Fifo,
    /// The name of a local socket.
    Socket,
}

/// The two kinds of device nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeviceKind {
    /// A stream of bytes.
    Character,
    /// An array of blocks.
    Block,
}

impl Inode {
    /// Makes an inode without a name; it lives as long as somebody holds it.
    ///
    /// # Errors
    /// `ENOSPC`: the file system has as many inodes as it may.
    pub(crate) fn new(
        superblock: &Arc<Superblock>,
        content: Content,
        permissions: Permissions,
        owner: Credentials,
    ) -> Result<Arc<Self>, Errno> {
        let number = superblock.next_inode_number();
        Self::with_number(superblock, dynamic::DynamicInode { number, content, permissions, owner })
    }

    fn with_number(superblock: &Arc<Superblock>, found: dynamic::DynamicInode) -> Result<Arc<Self>, Errno> {
        let dynamic::DynamicInode { number, content, permissions, owner } = found;
        superblock.inodes.charge()?;
        Ok(Arc::new(Self {
            superblock: superblock.clone(),
            number,
            content,
            attributes: SpinLock::new(Attributes::new(permissions, owner)),
            home: SpinLock::new(Weak::new()),
        }))
    }

    /// What `name` leads to in this directory.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory. `ENOENT`: no such name. `ENAMETOOLONG`: no name can be that long.
    pub(crate) fn find(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Self>, Errno> {
        let directory = self.directory()?;
        match directory.find(name) {
            Err(Errno::ENOENT) => {}
            found => return found,
        }
        let inode = Self::with_number(&self.superblock, directory.find_dynamic(name)?)?;
        inode.with_attributes(|attributes| attributes.links = if inode.is_directory() { 2 } else { 1 });
        if let Ok(directory) = inode.directory() {
            directory.keep_parent(self);
        }
        Ok(inode)
    }

    /// The directory that it was named in last; `None` if that is gone, or it never was.
    pub(crate) fn home(&self) -> Option<Arc<Self>> {
        match &self.content {
            Content::Directory(directory) => directory.parent(),
            _ => self.home.lock().upgrade(),
        }
    }

    pub(super) fn set_home(&self, directory: &Arc<Self>) {
        *self.home.lock() = Arc::downgrade(directory);
    }

    /// Makes a root: a directory that is its own parent.
    ///
    /// # Errors
    /// `ENOSPC`, as [`Inode::new`].
    pub(crate) fn new_root(
        superblock: &Arc<Superblock>,
        permissions: Permissions,
    ) -> Result<Arc<Self>, Errno> {
        let content = Content::Directory(Directory::new(Weak::new()));
        let root = Self::new(superblock, content, permissions, Credentials::ROOT)?;
        root.with_attributes(|attributes| attributes.links = 2);
        Ok(root)
    }

    /// The file system it belongs to.
    pub(crate) fn superblock(&self) -> &Arc<Superblock> {
        &self.superblock
    }

    /// `st_ino`.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What it holds.
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Its kind, as stat(2) tells it.
    pub(crate) fn file_type(&self) -> FileType {
        match self.content {
            Content::Directory(_) => FileType::Directory,
            Content::Regular(_) | Content::GeneratedFile(_) => FileType::Regular,
            Content::Symlink(_) | Content::DynamicSymlink(_) => FileType::Symlink,
            Content::Device(DeviceKind::Character, _) => FileType::CharacterDevice,
            Content::Device(DeviceKind::Block, _) => FileType::BlockDevice,
            Content::Fifo => FileType::Fifo,
            Content::Socket => FileType::Socket,
        }
    }

    /// The names in it.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory.
    pub(crate) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.content {
            Content::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.content, Content::Directory(_))
    }

    /// The path that it stands for, if it is a symbolic link.
    ///
    /// # Errors
    /// Those of a live link: `ENOENT`, `ESRCH`.
    pub(crate) fn link_target(&self) -> Option<Result<Vec<u8>, Errno>> {
        match &self.content {
            Content::Symlink(target) => Some(Ok(target.to_vec())),
            Content::DynamicSymlink(link) => Some(link().map(|destination| destination.text)),
            _ => None,
        }
    }

    /// `st_size`.
    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::Regular(regular) => regular.size(),
            Content::Symlink(target) => target.len() as u64,
            Content::Directory(directory) => directory.size(),
            _ => 0,
        }
    }

    /// Pages that its contents take.
    pub(crate) fn page_count(&self) -> u64 {
        match &self.content {
            Content::Regular(regular) => regular.pages(),
            _ => 0,
        }
    }

    /// A copy of the attributes at one moment.
    pub(crate) fn attributes(&self) -> Attributes {
        *self.attributes.lock()
    }

    /// Changes the attributes; `change` must lock nothing.
    pub(crate) fn with_attributes<R>(&self, change: impl FnOnce(&mut Attributes) -> R) -> R {
        change(&mut self.attributes.lock())
    }

    /// Whom it belongs to and what its bits allow, at one moment.
    pub(crate) fn ownership(&self) -> Ownership {
        let Attributes { permissions, uid, gid, .. } = self.attributes();
        Ownership { file_type: self.file_type(), permissions, uid, gid }
    }

    /// Whether `credentials` have all of `wanted`.
    ///
    /// # Errors
    /// `EACCES`: the permission bits refuse.
    pub(crate) fn check(&self, credentials: Credentials, wanted: Access) -> Result<(), Errno> {
        self.ownership().check(credentials, wanted)
    }
}

impl Pages for Inode {
    fn page(&self, index: u64) -> Result<UFrame, PageError> {
        match &self.content {
            Content::Regular(regular) => regular.mapped_page(&self.superblock, index),
            _ => Err(PageError::BeyondEnd),
        }
    }

    fn present_page(&self, index: u64) -> Option<UFrame> {
        match &self.content {
            Content::Regular(regular) => regular.present_page(index),
            _ => None,
        }
    }

    fn share(self: Arc<Self>, writes: bool) -> Result<SharedMapping, Errno> {
        let sharing = match &self.content {
            Content::Regular(regular) => regular.share(writes)?,
            _ => None,
        };
        Ok(match sharing {
            None => SharedMapping::default(),
            Some(Sharing::Free) => {
                SharedMapping { hold: Some(Arc::new(SharedInode(self))), is_read_only: false }
            }
            Some(Sharing::ReadOnly) => SharedMapping { hold: None, is_read_only: true },
        })
    }
}

/// A sealed file that is mapped for all to see.
struct SharedInode(Arc<Inode>);

impl Drop for SharedInode {
    fn drop(&mut self) {
        if let Content::Regular(regular) = &self.0.content {
            regular.unshare();
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.superblock.pages.refund(self.page_count());
        self.superblock.inodes.refund(1);
    }
}
