//! Inodes: files of any kind, with or without a name.
//!
//! Owns: the attributes, under their own lock, and the contents, which have their own locks.
//! Not here: names (each directory has its own), offsets and flags of open files.
//! Lock order: directories' entries before attributes; nothing is locked under attributes.
//! Why: decision 0020.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use ostd::mm::UFrame;
use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::abi::device::DeviceNumber;
use rules::linux::access::{Access, Ownership};
use rules::linux::credentials::Credentials;
use rules::linux::inotify::mask::Happened;
use rules::linux::seals::Sharing;

use super::attributes::Attributes;
use super::dentry::Dentry;
use super::directory::Directory;
use super::dynamic::{self, Control, DynamicLink, GeneratedFile};
use super::regular::Regular;
use super::superblock::Superblock;
use crate::linux::fs::fifo::Fifo;
use crate::linux::fs::generated::Setting;
use crate::linux::fs::nameless::Nameless;
use crate::linux::fs::notify;
use crate::linux::fs::notify::watchers::Watchers;
use crate::machine::memory::pages::{PageError, Pages, SharedMapping};

/// A file, device node or directory in memory.
pub(crate) struct Inode {
    superblock: Arc<Superblock>,
    number: u64,
    content: Content,
    attributes: SpinLock<Attributes>,
    /// Its first name, or a later one once that is gone; `None` for a root, and a file that has no name.
    dentry: SpinLock<Option<Arc<Dentry>>>,
    /// Whether link(2) has given it more names.
    has_links: AtomicBool,
    /// Who is told what happens to it.
    watchers: Watchers,
}

/// The contents of an inode; their kind never changes.
pub(crate) enum Content {
    /// A directory's entries.
    Directory(Directory),
    /// A regular file's bytes.
    Regular(Regular),
    /// The target of a symbolic link.
    Symlink(Box<[u8]>),
    /// A symbolic link whose target depends on the reader, such as `/proc/self/exe`.
    DynamicSymlink(DynamicLink),
    /// A text that is generated when it is read, such as `/proc/meminfo`.
    GeneratedFile(GeneratedFile),
    /// A text that depends on who opens it, or that can be written, such as `/proc/self/oom_score_adj`.
    Control(Arc<dyn Control>),
    /// A number that root may change, in `/proc/sys`.
    Setting(&'static Setting),
    /// A device node.
    Device(DeviceKind, DeviceNumber),
    /// A named pipe.
    Fifo(Fifo),
    /// A file that has no name.
    Nameless(Nameless),
    /// A local socket's name.
    Socket,
}

/// The two kinds of device nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeviceKind {
    /// A character device.
    Character,
    /// A block device.
    Block,
}

impl Inode {
    /// Makes an inode without a name; it lives as long as it is referenced.
    ///
    /// # Errors
    /// `ENOSPC`: the file system has as many inodes as it may have.
    pub(crate) fn new(
        superblock: &Arc<Superblock>,
        content: Content,
        permissions: Permissions,
        owner: &Credentials,
    ) -> Result<Arc<Self>, Errno> {
        let number = superblock.next_inode_number();
        Self::with_number(
            superblock,
            dynamic::DynamicInode { number, content, permissions, owner: owner.clone() },
        )
    }

    /// Makes an inode of which everything is known, its number as well.
    ///
    /// # Errors
    /// `ENOSPC`, as [`Inode::new`].
    pub(crate) fn with_number(
        superblock: &Arc<Superblock>,
        found: dynamic::DynamicInode,
    ) -> Result<Arc<Self>, Errno> {
        let dynamic::DynamicInode { number, content, permissions, owner } = found;
        superblock.inodes.charge()?;
        Ok(Arc::new(Self {
            superblock: superblock.clone(),
            number,
            content,
            attributes: SpinLock::new(Attributes::new(permissions, &owner)),
            dentry: SpinLock::new(None),
            has_links: AtomicBool::new(false),
            watchers: Watchers::default(),
        }))
    }

    /// Returns the inode that `name` leads to in this directory.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory. `ENOENT`: no such name. `ENAMETOOLONG`: the name is too long for any file.
    pub(crate) fn find(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Self>, Errno> {
        self.find_with_dentry(name).map(|(inode, _)| inode)
    }

    /// Does as [`find`](Self::find), and returns the dentry as well if the file may have other names.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    pub(crate) fn find_with_dentry(
        self: &Arc<Self>,
        name: &[u8],
    ) -> Result<(Arc<Self>, Option<Arc<Dentry>>), Errno> {
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
        inode.set_dentry(Dentry::generated(self, name));
        Ok((inode, None))
    }

    /// Returns its first name that was not removed, as far as that is known.
    pub(crate) fn dentry(&self) -> Option<Arc<Dentry>> {
        self.dentry.lock().clone()
    }

    pub(crate) fn set_dentry(&self, dentry: Arc<Dentry>) {
        let former = self.dentry.lock().replace(dentry);
        drop(former);
    }

    /// Sets a name that leads to it, if the name that it has was removed.
    pub(super) fn replace_removed_dentry(&self, found: &Arc<Dentry>) {
        if self.dentry().is_none_or(|dentry| dentry.is_removed()) {
            self.set_dentry(found.clone());
        }
    }

    /// Returns whether link(2) has given it more names.
    pub(super) fn has_links(&self) -> bool {
        // Relaxed: it is set and read under the lock of the directory that has the name.
        self.has_links.load(Ordering::Relaxed)
    }

    pub(super) fn note_link(&self) {
        self.has_links.store(true, Ordering::Relaxed);
    }

    /// Returns who is told what happens to it.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// Makes a root directory, which is its own parent.
    ///
    /// # Errors
    /// `ENOSPC`, as [`Inode::new`].
    pub(crate) fn new_root(
        superblock: &Arc<Superblock>,
        permissions: Permissions,
    ) -> Result<Arc<Self>, Errno> {
        let content = Content::Directory(Directory::new(Weak::new()));
        let root = Self::new(superblock, content, permissions, &Credentials::ROOT)?;
        root.with_attributes(|attributes| attributes.links = 2);
        Ok(root)
    }

    /// Returns its file system.
    pub(crate) fn superblock(&self) -> &Arc<Superblock> {
        &self.superblock
    }

    /// Returns `st_ino`.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns its contents.
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Returns its file type, as stat(2) reports it.
    pub(crate) fn file_type(&self) -> FileType {
        match self.content {
            Content::Directory(_) => FileType::Directory,
            Content::Regular(_) | Content::GeneratedFile(_) | Content::Control(_) | Content::Setting(_) => {
                FileType::Regular
            }
            Content::Symlink(_) | Content::DynamicSymlink(_) => FileType::Symlink,
            Content::Device(DeviceKind::Character, _) => FileType::CharacterDevice,
            Content::Device(DeviceKind::Block, _) => FileType::BlockDevice,
            Content::Fifo(_) => FileType::Fifo,
            Content::Nameless(ref nameless) => nameless.file_type(),
            Content::Socket => FileType::Socket,
        }
    }

    /// Returns its directory entries.
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory.
    pub(crate) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.content {
            Content::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Returns whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.content, Content::Directory(_))
    }

    /// Returns its target if it is a symbolic link.
    ///
    /// # Errors
    /// Those of a dynamic link: `ENOENT`, `ESRCH`.
    pub(crate) fn link_target(&self) -> Option<Result<Vec<u8>, Errno>> {
        match &self.content {
            Content::Symlink(target) => Some(Ok(target.to_vec())),
            Content::DynamicSymlink(link) => Some(link().map(|destination| destination.text)),
            _ => None,
        }
    }

    /// Returns `st_size`.
    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::Regular(regular) => regular.size(),
            Content::Symlink(target) => target.len() as u64,
            Content::Directory(directory) => directory.size(),
            _ => 0,
        }
    }

    /// Returns how many pages its contents occupy.
    pub(crate) fn page_count(&self) -> u64 {
        match &self.content {
            Content::Regular(regular) => regular.pages(),
            _ => 0,
        }
    }

    /// Returns a copy of the attributes.
    pub(crate) fn attributes(&self) -> Attributes {
        *self.attributes.lock()
    }

    /// Changes the attributes; `change` must not take a lock.
    pub(crate) fn with_attributes<R>(&self, change: impl FnOnce(&mut Attributes) -> R) -> R {
        change(&mut self.attributes.lock())
    }

    /// Returns owner, group and permission bits, read at the same time.
    pub(crate) fn ownership(&self) -> Ownership {
        let Attributes { permissions, uid, gid, .. } = self.attributes();
        Ownership { file_type: self.file_type(), permissions, uid, gid }
    }

    /// Checks whether `credentials` have all of the `wanted` access.
    ///
    /// # Errors
    /// `EACCES`: the permission bits forbid it.
    pub(crate) fn check(&self, credentials: &Credentials, wanted: Access) -> Result<(), Errno> {
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

impl Inode {
    /// Takes the directory that the dentry of a removed name keeps.
    fn take_kept(&mut self) -> Option<Arc<Self>> {
        self.dentry.get_mut().take().and_then(|dentry| dentry.take_kept())
    }
}

/// Counts a shared mapping of a sealed file; dropping it ends the count.
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
        // A name that leads here keeps the file, unless the tree itself is dropped.
        let is_unmounted = self.attributes.get_mut().links > 0;
        let last = if is_unmounted { Happened::UNMOUNT } else { Happened::DELETE_SELF };
        let last = notify::with_kind(self, last);
        self.watchers.end(last);
        // Removed directories keep each other. They are dropped one by one: recursion would need as much stack as
        // the tree was deep, which a program decides.
        let mut kept = self.take_kept();
        while let Some(mut directory) = kept.and_then(Arc::into_inner) {
            kept = directory.take_kept();
        }
        self.superblock.pages.refund(self.page_count());
        self.superblock.inodes.refund(1);
    }
}
