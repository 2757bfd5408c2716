//! `/proc/PID/fd`: a process's open files, as symbolic links.
//!
//! Missing: opening a pipe again through its link (`ENOENT`).
//! Source: Linux 6.1 fs/proc/fd.c, fs/d_path.c.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::core::fd::Fd;

use super::subject::{Subject, number};
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::linux::fs::mount::Location;
use crate::linux::fs::tmpfs::dynamic::{Destination, DynamicInode, DynamicNames, LISTED_MOST, Listed};
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::fs::{memfd, path};

/// The open descriptors of a subject.
pub(super) struct Descriptors(pub(super) Subject);

/// Separates these inode numbers from those of the subject's other files.
const LOCAL: u64 = 1 << 30;

impl DynamicNames for Descriptors {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let (subject, fd) = (self.0, Fd::new(number(name)?));
        let file = subject.process()?.files().get_any(fd).map_err(|_| Errno::ENOENT)?;
        let access = file.access();
        let mode = if access.reads() { 0o500 } else { 0 } | if access.writes() { 0o300 } else { 0 };
        let link = move || {
            let file = subject.process()?.files().get_any(fd).map_err(|_| Errno::ENOENT)?;
            Ok(destination(&file))
        };
        subject.find(LOCAL | fd.index() as u64, mode, Content::DynamicSymlink(Box::new(link)))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        let (Ok(process), Ok(mut next)) = (self.0.process(), u32::try_from(from)) else { return Vec::new() };
        let files = process.files();
        let mut listed = Vec::new();
        // The table is locked once for each descriptor, because nothing is allocated under its lock.
        loop {
            let found = files.read().next_open(Fd::new(next), Fd::new(u32::MAX - 1));
            let Some(fd) = found.filter(|_| listed.len() < LISTED_MOST) else { return listed };
            listed.push(Listed {
                key: fd.index() as u64,
                name: fd.index().to_string().into_bytes(),
                number: self.0.inode(LOCAL | fd.index() as u64),
                file_type: FileType::Symlink,
            });
            next = fd.number() + 1;
        }
    }
}

fn destination(file: &OpenFile) -> Destination {
    if let Some(place) = file.location::<Location>() {
        let text = memfd::text(&place.inode)
            .or_else(|| path::of_inode(&place.inode))
            .unwrap_or_else(|| b"/ (deleted)".to_vec());
        return Destination { text, place: Some(place.clone()) };
    }
    Destination { text: nameless(file).into_bytes(), place: None }
}

/// Returns the link text of a file without a name: its class and inode number.
fn nameless(file: &OpenFile) -> String {
    match file.file().class() {
        class @ (Class::Pipe | Class::Socket) => format!("{}:[{}]", class.name(), file.stat().inode),
        Class::Epoll => "anon_inode:[eventpoll]".to_owned(),
        class => format!("anon_inode:[{}]", class.name()),
    }
}
