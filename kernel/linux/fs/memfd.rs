//! Files without a place in the tree: memfd_create(2).
//!
//! Owns: the file system that they are in, which no path leads to.   Not here: what seals forbid (`rules::linux::seals`).
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

/// How much of the memory all of them may take: an eighth. A tmpfs may have half, and the last of it must not be in files,
/// which nobody can be killed to get back: OSTD keeps free frames for each CPU, and one may find none while another has
/// some.
const SHARE: usize = 8;

/// Makes a file of that name, which only tells people what it is.
///
/// # Errors
/// `ENOSPC`: too many files. `ENOMEM`: not even the first can be had.
pub(crate) fn create(name: &[u8], seals: Seals, owner: Credentials) -> Result<Opened, Errno> {
    let directory = place()?;
    let content = Content::Regular(Regular::sealed(name, seals));
    let superblock = directory.inode.superblock();
    let inode = Inode::new(superblock, content, Permissions::from_mode(0o777), owner)?;
    Ok(Opened::contents(directory.sibling(inode)))
}

/// The root that all of them are beside.
fn place() -> Result<&'static Location, Errno> {
    static PLACE: Once<Location> = Once::new();
    PLACE.try_call_once(|| {
        let pages = Some((budget::total() / PAGE_SIZE / SHARE) as u64);
        let superblock =
            Superblock::new(FileSystemType::Tmpfs, SizeLimits { pages, ..SizeLimits::default() });
        Inode::new_root(&superblock, Permissions::from_mode(0o1777)).map(mount::outside)
    })
}

/// What tells people which file it is: `/memfd:NAME`, and that no path leads there.
pub(crate) fn text(inode: &Arc<Inode>) -> Option<alloc::vec::Vec<u8>> {
    let Content::Regular(regular) = inode.content() else { return None };
    regular.name().map(|name| [b"/memfd:", &name[..], b" (deleted)"].concat())
}
