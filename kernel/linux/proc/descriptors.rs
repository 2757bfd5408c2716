//! `/proc/PID/fd`: a process's open files, as symbolic links.
//!
//! Not here: the inodes of files without a name (`fs/nameless`), `fdinfo`.
//! Source: Linux 6.1 fs/proc/fd.c, fs/d_path.c.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::core::fd::Fd;
use rules::linux::credentials::Credentials;

use super::subject::{Subject, number};
use crate::core::file::description::OpenFile;
use crate::linux::fs::opened::OpenedAt;
use crate::linux::fs::tmpfs::dynamic::{Destination, DynamicInode, DynamicNames, LISTED_MOST, Listed};
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::fs::{nameless, path};
use crate::linux::task::access;

/// The open descriptors of a subject.
pub(super) struct Descriptors(pub(super) Subject);

/// Separates these inode numbers from those of the subject's other files.
const LOCAL: u64 = 1 << 30;

impl DynamicNames for Descriptors {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let (subject, fd) = (self.0, Fd::new(number(name)?));
        let process = subject.process()?;
        // A handle of the directory must not outlive a change of the owner.
        access::check(&process)?;
        let file = process.files().get_any(fd).map_err(|_| Errno::ENOENT)?;
        let access = file.access();
        let shown = |is_open: bool, bits: u32| if is_open && !file.is_path() { bits } else { 0 };
        let mode = shown(access.reads(), 0o500) | shown(access.writes(), 0o300);
        let link = move || {
            let process = subject.process()?;
            access::check(&process)?;
            let file = process.files().get_any(fd).map_err(|_| Errno::ENOENT)?;
            let owner = process.credentials.lock().clone();
            Ok(destination(&file, owner))
        };
        subject.find(LOCAL | fd.index() as u64, mode, Content::DynamicSymlink(Box::new(link)))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        if self.0.process().and_then(|process| access::check(&process)).is_err() {
            return Vec::new();
        }
        listed(self.0, from, LOCAL, FileType::Symlink)
    }
}

/// Lists the open descriptors of a subject from the number `from` on, as files of this type; `local` separates their
/// inode numbers from others.
pub(super) fn listed(subject: Subject, from: u64, local: u64, file_type: FileType) -> Vec<Listed> {
    let (Ok(process), Ok(mut next)) = (subject.process(), u32::try_from(from)) else { return Vec::new() };
    let files = process.files();
    let mut listed = Vec::new();
    // The table is locked once for each descriptor, because nothing is allocated under its lock.
    loop {
        let found = files.read().next_open(Fd::new(next), Fd::new(u32::MAX - 1));
        let Some(fd) = found.filter(|_| listed.len() < LISTED_MOST) else { return listed };
        listed.push(Listed {
            key: fd.index() as u64,
            name: fd.index().to_string().into_bytes(),
            number: subject.inode(local | fd.index() as u64),
            file_type,
        });
        next = fd.number() + 1;
    }
}

/// Returns what the link of `file` leads to; `owner` owns a file without a name.
fn destination(file: &OpenFile, owner: Credentials) -> Destination {
    let place = match file.location().map(OpenedAt::location) {
        Some(place) => Some(place.clone()),
        None => nameless::place(file, owner).ok().cloned(),
    };
    match place {
        Some(place) => Destination { text: path::text(&place), place: Some(place) },
        None => Destination { text: nameless::name(file).into_bytes(), place: None },
    }
}
