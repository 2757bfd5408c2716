//! `/proc`: what the kernel tells of itself, in files.
//!
//! Owns: the names, and the texts that need nothing but layers below.   Not here: what higher layers know, which
//! `start` hands in with [`provide`].
//! Source: proc(5).

pub(crate) mod report;
mod sysctl;

use alloc::boxed::Box;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use spin::Once;

use super::name::{self, NewFile};
use super::path::Origin;
use super::tmpfs::inode::Content;
use super::tmpfs::live::{Destination, Names};

/// What `/proc` shows of layers above the tree of files.
#[derive(Clone, Copy)]
pub(crate) struct Provider {
    /// The names that are numbers of processes.
    pub(crate) processes: fn() -> Box<dyn Names>,
    /// `self`.
    pub(crate) own: fn() -> Result<Destination, Errno>,
    /// `thread-self`.
    pub(crate) own_thread: fn() -> Result<Destination, Errno>,
    /// More texts, by name.
    pub(crate) reports: &'static [(&'static [u8], Text)],
}

/// Makes a text.
pub(crate) type Text = fn() -> Vec<u8>;

static PROVIDER: Once<Provider> = Once::new();

/// Tells `/proc` whom to ask; before it is mounted.
pub(crate) fn provide(provider: Provider) {
    PROVIDER.call_once(|| provider);
}

/// Makes the names in the directory that `origin` starts at.
///
/// # Errors
/// `ENOSPC`: no inode to be had.
pub(super) fn populate(origin: &Origin) -> Result<(), Errno> {
    const REPORTS: [(&[u8], Text); 7] = [
        (b"cmdline", report::cmdline),
        (b"cpuinfo", report::cpuinfo),
        (b"filesystems", report::filesystems),
        (b"meminfo", report::meminfo),
        (b"pollee", report::pollee),
        (b"trace", report::trace),
        (b"version", report::version),
    ];
    for (name, text) in REPORTS {
        make_report(origin, name, text)?;
    }
    make(origin, b"mounts", NewFile::Symlink(Box::from(&b"self/mounts"[..])), 0o777)?;
    make(origin, b"net", NewFile::Symlink(Box::from(&b"self/net"[..])), 0o777)?;
    sysctl::populate(origin)?;
    let Some(provider) = PROVIDER.get() else { return Ok(()) };
    for &(name, text) in provider.reports {
        make_report(origin, name, text)?;
    }
    let Provider { own, own_thread, .. } = *provider;
    make(origin, b"self", NewFile::Special(Content::LiveSymlink(Box::new(own))), 0o777)?;
    make(origin, b"thread-self", NewFile::Special(Content::LiveSymlink(Box::new(own_thread))), 0o777)?;
    origin.start.inode.directory()?.enliven((provider.processes)());
    Ok(())
}

fn make_report(origin: &Origin, path: &[u8], text: Text) -> Result<(), Errno> {
    make(origin, path, NewFile::Special(Content::Report(Box::new(move || Ok(text())))), 0o444)
}

fn make(origin: &Origin, path: &[u8], new: NewFile, mode: u32) -> Result<(), Errno> {
    name::make(origin, path, new, Permissions::from_mode(mode)).map(|_| ())
}
