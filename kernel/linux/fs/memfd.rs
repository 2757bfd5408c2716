//! Files without a place in the tree: memfd_create(2).
//!
//! Owns: their file system, which is not mounted in the tree.   Not here: what seals forbid (`rules::linux::seals`).
//! Source: memfd_create(2); Linux 6.1 mm/memfd.c, mm/shmem.c (`__shmem_file_setup`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::credentials::Credentials;
use rules::linux::seals::Seals;
use spin::Once;

use super::mount::{self, Location};
use super::open::Opened;
use super::tmpfs::inode::{Content, Inode};
use super::tmpfs::regular::Regular;
use super::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// The share of memory for all of them is one eighth. A tmpfs may have half; the rest must not be filled with files,
/// because killing processes does not free files: OSTD keeps free frames for each CPU, and one CPU may have none while
/// another has some.
const SHARE: usize = 8;

/// Creates a file; its name serves only for `/proc/PID/fd`.
///
/// # Errors
/// `ENOSPC`: too many files. `ENOMEM`: there is no memory for their file system.
pub(crate) fn create(name: &[u8], seals: Seals, owner: &Credentials) -> Result<Opened, Errno> {
    let directory = place()?;
    let content = Content::Regular(Regular::sealed(name, seals));
    let superblock = directory.inode.superblock();
    let inode = Inode::new(superblock, content, Permissions::from_mode(0o777), owner)?;
    Ok(Opened::contents(directory.sibling(inode)))
}

/// Returns the root of their file system.
fn place() -> Result<&'static Location, Errno> {
    static PLACE: Once<Location> = Once::new();
    PLACE.try_call_once(|| {
        let pages = Some((budget::total() / PAGE_SIZE / SHARE) as u64);
        let superblock =
            Superblock::new(FileSystemType::Tmpfs, SizeLimits { pages, ..SizeLimits::default() });
        Inode::new_root(&superblock, Permissions::from_mode(0o1777)).map(mount::outside)
    })
}

/// Returns the name for `/proc/PID/fd`: `/memfd:NAME`, marked as not in the tree.
pub(crate) fn text(inode: &Arc<Inode>) -> Option<alloc::vec::Vec<u8>> {
    let Content::Regular(regular) = inode.content() else { return None };
    regular.name().map(|name| [b"/memfd:", &name[..], b" (deleted)"].concat())
}
