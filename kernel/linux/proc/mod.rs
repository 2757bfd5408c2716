//! `/proc`: the kernel's state as files.
//!
//! Owns: the names at its top level.   Not here: the directories of processes (`subject`), the texts.
//! Why: decision 0075.
//! Source: proc(5).

mod control;
mod descriptors;
mod fdinfo;
mod maps;
mod net;
mod net_tables;
mod report;
mod subject;
mod sysctl;
mod system;
mod text;
pub(crate) mod trace;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;

use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::namei::{self, NewFile};
use crate::linux::fs::path::Origin;
use crate::linux::fs::tmpfs::dynamic::{self, GeneratedFile};
use crate::linux::fs::tmpfs::inode::{Content, Inode};
use crate::linux::fs::tmpfs::superblock::FileSystemType;
use crate::linux::fs::tree::OnlyTree;

/// Generates a text.
type TextFn = fn() -> Vec<u8>;

static TREE: OnlyTree = OnlyTree::new(FileSystemType::Proc, 0o555, populate);

/// Returns the root, for mount(2).
///
/// # Errors
/// `ENOSPC`: no inode is left.
pub(super) fn mounted() -> Result<Arc<Inode>, Errno> {
    TREE.root().cloned()
}

/// Returns the ID of the process whose directory, `/proc/PID`, this is; the process may be gone.
pub(super) fn process_of(inode: &Inode) -> Option<u32> {
    let is_here = inode.superblock().file_system() == FileSystemType::Proc;
    if is_here && inode.is_directory() { subject::process_of(inode.number()) } else { None }
}

/// Creates the names in the directory that `origin` starts at.
///
/// # Errors
/// `ENOSPC`: no inode is left.
fn populate(origin: &Origin) -> Result<(), Errno> {
    const REPORTS: [(&[u8], TextFn); 10] = [
        (b"cmdline", report::cmdline),
        (b"cpuinfo", report::cpuinfo),
        (b"filesystems", report::filesystems),
        (b"meminfo", report::meminfo),
        (b"pollee", report::pollee),
        (b"trace", report::trace),
        (b"version", report::version),
        (b"loadavg", system::loadavg),
        (b"stat", system::stat),
        (b"uptime", system::uptime),
    ];
    for (name, text) in REPORTS {
        make_report(origin, name, text)?;
    }
    make(origin, b"mounts", NewFile::Symlink(Box::from(&b"self/mounts"[..])), 0o777)?;
    make(origin, b"net", NewFile::Symlink(Box::from(&b"self/net"[..])), 0o777)?;
    sysctl::populate(origin)?;
    make(origin, b"self", NewFile::Special(Content::DynamicSymlink(Box::new(subject::own))), 0o777)?;
    let own_thread = Content::DynamicSymlink(Box::new(subject::own_thread));
    make(origin, b"thread-self", NewFile::Special(own_thread), 0o777)?;
    origin.start.inode.directory()?.make_dynamic(Box::new(subject::Processes));
    Ok(())
}

fn make_report(origin: &Origin, path: &[u8], text: TextFn) -> Result<(), Errno> {
    let file =
        GeneratedFile { text: Box::new(move || dynamic::text(text())), changes: FileChanges::ORDINARY };
    make(origin, path, NewFile::Special(Content::GeneratedFile(file)), 0o444)
}

fn make(origin: &Origin, path: &[u8], new: NewFile, mode: u32) -> Result<(), Errno> {
    namei::make(origin, path, new, Permissions::from_mode(mode)).map(|_| ())
}
