//! `/proc`: what the kernel tells of itself, in files.
//!
//! Owns: the names, and the texts that need nothing but layers below.   Not here: what higher layers know, which
//! `main` hands in with [`provide`].
//! Missing: a directory for each process; `self` has `exe` only.
//! Source: proc(5).

mod report;

use alloc::vec::Vec;

use model::abi::errno::Errno;
use model::abi::mode::Permissions;
use spin::Once;

use super::name::{self, NewFile};
use super::path::Origin;
use super::tmpfs::inode::{Content, Report};

/// What `/proc` shows of layers above the tree of files.
#[derive(Clone, Copy)]
pub(crate) struct Provider {
    /// The path of the program that the caller runs: `/proc/self/exe`.
    pub(crate) executable: fn() -> Result<Vec<u8>, Errno>,
    /// The time since the start, in nanoseconds.
    pub(crate) uptime: fn() -> u64,
    /// How much of it processors had nothing to do, added up, in nanoseconds.
    pub(crate) idle: fn() -> u64,
}

static PROVIDER: Once<Provider> = Once::new();

/// Tells `/proc` whom to ask. Until then what it asks for is missing or 0.
pub(crate) fn provide(provider: Provider) {
    PROVIDER.call_once(|| provider);
}

/// Makes the names in the directory that `origin` starts at.
///
/// # Errors
/// `ENOSPC`: no inode to be had.
pub(super) fn populate(origin: &Origin) -> Result<(), Errno> {
    let reports: [(&[u8], Report); 8] = [
        (b"cmdline", report::cmdline),
        (b"cpuinfo", report::cpuinfo),
        (b"filesystems", report::filesystems),
        (b"meminfo", report::meminfo),
        (b"mounts", report::mounts),
        (b"pollee", report::pollee),
        (b"trace", report::trace),
        (b"uptime", report::uptime),
    ];
    for (name, text) in reports {
        make(origin, name, NewFile::Special(Content::Report(text)), 0o444)?;
    }
    make(origin, b"self", NewFile::Directory, 0o555)?;
    make(origin, b"self/exe", NewFile::Special(Content::LiveSymlink(executable)), 0o777)
}

fn make(origin: &Origin, path: &[u8], new: NewFile, mode: u32) -> Result<(), Errno> {
    name::make(origin, path, new, Permissions::from_mode(mode)).map(|_| ())
}

fn executable() -> Result<Vec<u8>, Errno> {
    PROVIDER.get().map_or(Err(Errno::ENOENT), |provider| (provider.executable)())
}
