//! `/proc/PID`: the directories of processes and their threads.
//!
//! Owns: the names, and the process or thread that they describe.   Not here: the texts (`text`, `maps`), open files
//! (`descriptors`).
//! Invariant: an ID is looked up at each access, because a directory may outlive its process; IDs are not reused.
//! What shows more than everybody may know asks `task/access`: links whenever they are followed, texts at open(2).
//! Missing: `environ`, `mem`, and other files that no program here has needed.
//! Source: proc(5); Linux 6.1 fs/proc/base.c.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::oom::Scale;

use super::{TextFn, control, descriptors, fdinfo, net, report, text};
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::tmpfs::directory::Directory;
use crate::linux::fs::tmpfs::dynamic::{
    self, Control, Destination, DynamicInode, DynamicNames, GeneratedFile, LISTED_MOST, Listed, Text,
};
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::fs::{mount, path};
use crate::linux::task::access;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::thread::{self, Thread};

/// The process or thread that a directory describes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// A process: `/proc/PID`.
    Process(u32),
    /// A thread of a process: `/proc/PID/task/TID`.
    Thread(u32, u32),
}

impl Subject {
    pub(super) fn process(self) -> Result<Arc<Process>, Errno> {
        let (Self::Process(pid) | Self::Thread(pid, _)) = self;
        process_table::find(pid).ok_or(Errno::ESRCH)
    }

    /// Returns the thread, or the first thread of the process; `None` after its end.
    pub(super) fn thread(self) -> Option<Arc<Thread>> {
        let process = self.process().ok()?;
        let threads = process.threads.lock();
        match self {
            Self::Process(pid) => {
                threads.iter().find(|thread| thread.tid() == pid).or(threads.first()).cloned()
            }
            Self::Thread(_, tid) => threads.iter().find(|thread| thread.tid() == tid).cloned(),
        }
    }

    /// Returns an inode number for one of its files; each subject has its own upper half.
    pub(super) fn inode(self, local: u64) -> u64 {
        const OF_THREAD: u64 = 1 << 31;
        match self {
            Self::Process(pid) => u64::from(pid) << 32 | local,
            Self::Thread(_, tid) => u64::from(tid) << 32 | OF_THREAD | local,
        }
    }

    pub(super) fn find(self, local: u64, mode: u32, content: Content) -> Result<DynamicInode, Errno> {
        let process = self.process()?;
        // A directory that all may search tells nothing by its owner (`task_dump_owner`).
        let owner = match mode {
            0o555 => access::counting(&process),
            _ => access::owner(&process),
        };
        Ok(DynamicInode {
            number: self.inode(local),
            content,
            permissions: Permissions::from_mode(mode),
            owner,
        })
    }

    /// Lists fixed names of the subject, with inodes from `local` on; the list is empty if the subject is gone.
    pub(super) fn list(
        self,
        local: u64,
        names: impl Iterator<Item = (&'static [u8], FileType)>,
        from: u64,
    ) -> Vec<Listed> {
        if self.process().is_err() {
            return Vec::new();
        }
        let listed = |((name, file_type), local): ((&[u8], FileType), u64)| Listed {
            key: local,
            name: name.to_vec(),
            number: self.inode(local),
            file_type,
        };
        names.zip(local..).map(listed).filter(|listed| listed.key >= from).collect()
    }
}

/// Returns the ID of the process whose directory has this inode number.
pub(super) fn process_of(number: u64) -> Option<u32> {
    let (pid, local) = ((number >> 32) as u32, number as u32);
    (pid > 0 && local == 0).then_some(pid)
}

/// Finds a name in a table and returns its entry and inode number; the first entry's number is `local`.
pub(super) fn named<T: Copy>(table: &[(&[u8], T)], local: u64, name: &[u8]) -> Result<(T, u64), Errno> {
    let mut entries = table.iter().zip(local..);
    let (&(_, entry), local) = entries.find(|((known, _), _)| *known == name).ok_or(Errno::ENOENT)?;
    Ok((entry, local))
}

pub(super) type TextOf = fn(Subject) -> Result<Text, Errno>;
type Link = fn(Subject) -> Result<Destination, Errno>;

/// A file in a subject's directory.
#[derive(Clone, Copy)]
enum Entry {
    Text(TextOf),
    Control(fn(Subject) -> Arc<dyn Control>, u32),
    /// A list of all mounts.
    Mounts(TextFn),
    Link(Link),
    Descriptors,
    DescriptorTexts,
    Net,
    Threads,
}

const ENTRIES: &[(&[u8], Entry)] = &[
    (b"cmdline", Entry::Text(text::cmdline)),
    (b"comm", Entry::Text(text::comm)),
    (b"cwd", Entry::Link(cwd)),
    (b"exe", Entry::Link(exe)),
    (b"fd", Entry::Descriptors),
    (b"fdinfo", Entry::DescriptorTexts),
    (b"limits", Entry::Text(text::limits)),
    (b"maps", Entry::Control(|subject| Arc::new(control::Maps(subject)), 0o444)),
    (b"mountinfo", Entry::Mounts(report::mountinfo)),
    (b"mounts", Entry::Mounts(report::mounts)),
    (b"net", Entry::Net),
    (b"oom_adj", Entry::Control(|subject| Arc::new(control::OomAdjustment(subject, Scale::Old)), 0o644)),
    (b"oom_score", Entry::Text(text::oom_score)),
    (
        b"oom_score_adj",
        Entry::Control(|subject| Arc::new(control::OomAdjustment(subject, Scale::Thousandths)), 0o644),
    ),
    (b"root", Entry::Link(root)),
    (b"stat", Entry::Text(text::stat)),
    (b"statm", Entry::Text(text::statm)),
    (b"status", Entry::Text(text::status)),
    // The last one, because a thread's directory lacks it.
    (b"task", Entry::Threads),
];

impl Entry {
    const fn file_type(self) -> FileType {
        match self {
            Self::Text(_) | Self::Mounts(_) | Self::Control(..) => FileType::Regular,
            Self::Link(_) => FileType::Symlink,
            Self::Descriptors | Self::DescriptorTexts | Self::Net | Self::Threads => FileType::Directory,
        }
    }

    const fn mode(self) -> u32 {
        match self {
            Self::Text(_) | Self::Mounts(_) => 0o444,
            Self::Control(_, mode) => mode,
            Self::Link(_) => 0o777,
            Self::Descriptors => 0o500,
            Self::DescriptorTexts | Self::Net | Self::Threads => 0o555,
        }
    }

    fn content(self, subject: Subject) -> Content {
        match self {
            Self::Text(text) => Content::Control(Arc::new(control::Text(subject, text))),
            Self::Mounts(text) => {
                generated(FileChanges::of_mounts(&mount::CHANGES), move || dynamic::text(text()))
            }
            Self::Control(control, _) => Content::Control(control(subject)),
            Self::Link(link) => Content::DynamicSymlink(Box::new(move || {
                access::check(&subject.process()?)?;
                link(subject)
            })),
            Self::Descriptors => directory(descriptors::Descriptors(subject)),
            Self::DescriptorTexts => directory(fdinfo::DescriptorTexts(subject)),
            Self::Net => directory(net::Tables(subject)),
            Self::Threads => directory(TaskNames(subject)),
        }
    }
}

pub(super) fn generated(
    changes: FileChanges,
    text: impl Fn() -> Result<Text, Errno> + Send + Sync + 'static,
) -> Content {
    Content::GeneratedFile(GeneratedFile { text: Box::new(text), changes })
}

/// Makes a directory with generated names only; it gets its parent at lookup.
fn directory(names: impl DynamicNames + 'static) -> Content {
    Content::Directory(Directory::dynamic(Box::new(names)))
}

/// The process IDs in `/proc`.
pub(super) struct Processes;

impl DynamicNames for Processes {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let subject = Subject::Process(number(name)?);
        subject.process().map_err(|_| Errno::ENOENT)?;
        subject.find(0, 0o555, directory(Entries(subject)))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        let subjects = process_table::all().map(|process| Subject::Process(process.pid()));
        subjects.filter_map(|subject| listed(subject, from)).take(LISTED_MOST).collect()
    }
}

/// The thread IDs in `/proc/PID/task`.
struct TaskNames(Subject);

impl DynamicNames for TaskNames {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let subject = Subject::Thread(self.0.process()?.pid(), number(name)?);
        subject.thread().ok_or(Errno::ENOENT)?;
        subject.find(0, 0o555, directory(Entries(subject)))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        let Ok(process) = self.0.process() else { return Vec::new() };
        let mut from = from;
        let next = || {
            // The list is by age, and so by ID but for a first thread that execve(2) has made of another.
            let threads = process.threads.lock();
            let tid =
                threads.iter().map(|thread| thread.tid()).filter(|tid| u64::from(*tid) >= from).min()?;
            drop(threads);
            from = u64::from(tid) + 1;
            listed(Subject::Thread(process.pid(), tid), 0)
        };
        core::iter::from_fn(next).take(LISTED_MOST).collect()
    }
}

fn listed(subject: Subject, from: u64) -> Option<Listed> {
    let (Subject::Process(id) | Subject::Thread(_, id)) = subject;
    let name = id.to_string().into_bytes();
    let listed = Listed { key: id.into(), name, number: subject.inode(0), file_type: FileType::Directory };
    (listed.key >= from).then_some(listed)
}

/// The files in a subject's directory.
struct Entries(Subject);

impl Entries {
    fn entries(&self) -> &'static [(&'static [u8], Entry)] {
        match self.0 {
            Subject::Process(_) => ENTRIES,
            Subject::Thread(..) => &ENTRIES[..ENTRIES.len() - 1],
        }
    }
}

impl DynamicNames for Entries {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let (entry, local) = named(self.entries(), 1, name)?;
        let mut found = self.0.find(local, entry.mode(), entry.content(self.0))?;
        if let (Entry::Descriptors, Some(thread)) = (entry, thread::current())
            && Arc::ptr_eq(thread.process(), &self.0.process()?)
        {
            // A process may search its own, even if that is root's (`proc_fd_permission`).
            found.owner = thread.process().credentials.lock().clone();
        }
        Ok(found)
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        self.0.list(1, self.entries().iter().map(|&(name, entry)| (name, entry.file_type())), from)
    }
}

/// Parses a number in the kernel's form, without leading zeros.
pub(super) fn number(name: &[u8]) -> Result<u32, Errno> {
    let digits = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
    let number: u32 = digits.parse().map_err(|_| Errno::ENOENT)?;
    if number.to_string() == digits { Ok(number) } else { Err(Errno::ENOENT) }
}

/// Returns the process if it has not ended.
fn living(subject: Subject) -> Result<Arc<Process>, Errno> {
    subject.process().ok().filter(|process| !process.has_ended()).ok_or(Errno::ENOENT)
}

fn exe(subject: Subject) -> Result<Destination, Errno> {
    let program = living(subject)?.program.lock().clone().ok_or(Errno::ENOENT)?;
    let place = program.location();
    Ok(Destination { text: path::text(place), place: Some(place.clone()) })
}

fn cwd(subject: Subject) -> Result<Destination, Errno> {
    let place = living(subject)?.paths.lock().cwd.clone();
    Ok(Destination { text: path::text(&place), place: Some(place) })
}

fn root(subject: Subject) -> Result<Destination, Errno> {
    living(subject)?;
    Ok(Destination { text: b"/".to_vec(), place: Some(mount::root().clone().topmost()) })
}

/// Returns the target of `/proc/self`.
pub(super) fn own() -> Result<Destination, Errno> {
    let thread = thread::current().ok_or(Errno::ENOENT)?;
    Ok(Destination { text: thread.process().pid().to_string().into_bytes(), place: None })
}

/// Returns the target of `/proc/thread-self`.
pub(super) fn own_thread() -> Result<Destination, Errno> {
    let thread = thread::current().ok_or(Errno::ENOENT)?;
    let text = format!("{}/task/{}", thread.process().pid(), thread.tid());
    Ok(Destination { text: text.into_bytes(), place: None })
}
