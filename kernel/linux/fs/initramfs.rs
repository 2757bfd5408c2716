//! Unpacks the initramfs, an archive from the boot loader, into the root.
//!
//! Not here: the archive's format (rules::linux::cpio).
//! Source: Linux 6.1 init/initramfs.c (`do_name`, `do_copy`, `do_symlink`, `maybe_link`, `clean_path`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::abi::stat::Timestamp;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::cpio::{self, CpioEntry, Malformed};
use rules::linux::credentials::Credentials;

use super::fifo::Fifo;
use super::mount::{self, Location};
use super::namei::{self, NewFile};
use super::path::{self, LastLink, Origin};
use super::tmpfs::inode::{Content, DeviceKind};
use super::tmpfs::regular::Position;

/// Why unpacking stopped. Files before that are kept.
#[derive(Debug)]
pub(crate) enum UnpackError {
    /// The archive is damaged, or compressed.
    Malformed(Malformed),
    /// This file could not be created.
    File(Vec<u8>, Errno),
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Malformed::Magic) => {
                write!(f, "the initramfs is no cpio archive in the newc format (is it compressed?)")
            }
            Self::Malformed(fault) => write!(f, "the initramfs is damaged: {fault:?}"),
            Self::File(name, error) => {
                write!(f, "the initramfs file {} cannot be made: {error:?}", name.escape_ascii())
            }
        }
    }
}

/// Unpacks every file of `archive` into the root and returns how many.
///
/// A later entry of the same name wins; a file whose directory is missing is skipped, as on Linux.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn unpack(archive: &[u8]) -> Result<usize, UnpackError> {
    let origin =
        Origin { start: mount::root().clone(), credentials: Credentials::ROOT, umask: Permissions::empty() };
    let mut hard_links = BTreeMap::new();
    let mut count = 0;
    for entry in cpio::entries(archive) {
        let entry = entry.map_err(UnpackError::Malformed)?;
        let file = make(&origin, &entry, &mut hard_links)
            .map_err(|error| UnpackError::File(entry.name.to_vec(), error))?;
        count += usize::from(file.is_some());
    }
    Ok(count)
}

/// The first name of each inode with hard links, by its identity in the archive.
type HardLinks = BTreeMap<(u32, u32, u32, u32), Location>;

fn make(
    origin: &Origin,
    entry: &CpioEntry<'_>,
    hard_links: &mut HardLinks,
) -> Result<Option<Location>, Errno> {
    let Some(file_type) = FileType::from_mode(entry.mode) else {
        return Err(Errno::EINVAL);
    };
    match clear_way(origin, entry.name, file_type) {
        // Linux skips a file whose directory is missing.
        Err(Errno::ENOENT) => return Ok(None),
        cleared => cleared?,
    }
    if file_type == FileType::Regular
        && entry.links > 1
        && let Some(first) = hard_links.get(&entry.identity)
    {
        namei::link(origin, first, entry.name)?;
        fill(first, entry)?;
        return Ok(Some(first.clone()));
    }
    let permissions = Permissions::from_mode(entry.mode);
    let made = match namei::make(origin, entry.name, new_file(entry, file_type), permissions) {
        // An existing directory, such as the root, gets the entry's attributes.
        Err(Errno::EEXIST) => path::lookup(origin, entry.name, LastLink::Keep)?,
        Err(Errno::ENOENT) => return Ok(None),
        made => made?,
    };
    if file_type == FileType::Regular {
        fill(&made, entry)?;
        hard_links.insert(entry.identity, made.clone());
    }
    made.inode.with_attributes(|attributes| {
        let modified = Timestamp { seconds: i64::from(entry.modified), nanoseconds: 0 };
        (attributes.uid, attributes.gid) = (entry.uid, entry.gid);
        (attributes.accessed, attributes.modified) = (modified, modified);
        if file_type != FileType::Symlink {
            attributes.permissions = permissions;
        }
    });
    Ok(Some(made))
}

/// Removes the file of an earlier entry with this name, unless both are directories.
fn clear_way(origin: &Origin, path: &[u8], file_type: FileType) -> Result<(), Errno> {
    let found = match path::lookup(origin, path, LastLink::Keep) {
        Err(Errno::ENOENT) => return Ok(()),
        found => found?,
    };
    match (found.inode.is_directory(), file_type == FileType::Directory) {
        (true, true) => Ok(()),
        (true, false) => namei::remove_directory(origin, path),
        (false, _) => namei::unlink(origin, path),
    }
}

fn new_file(entry: &CpioEntry<'_>, file_type: FileType) -> NewFile {
    let device = DeviceNumber::new(entry.special_device.0, entry.special_device.1);
    match file_type {
        FileType::Directory => NewFile::Directory,
        FileType::Regular => NewFile::Regular,
        FileType::Symlink => NewFile::Symlink(entry.data.into()),
        FileType::CharacterDevice => NewFile::Special(Content::Device(DeviceKind::Character, device)),
        FileType::BlockDevice => NewFile::Special(Content::Device(DeviceKind::Block, device)),
        FileType::Fifo => NewFile::Special(Content::Fifo(Fifo::new())),
        FileType::Socket => NewFile::Special(Content::Socket),
    }
}

fn fill(file: &Location, entry: &CpioEntry<'_>) -> Result<(), Errno> {
    let Content::Regular(regular) = file.inode.content() else {
        return Err(Errno::EEXIST);
    };
    let superblock = file.inode.superblock();
    let (_, written) = regular.write(superblock, Position::At(0), &mut &entry.data[..])?;
    if written < entry.data.len() { Err(Errno::ENOSPC) } else { Ok(()) }
}
