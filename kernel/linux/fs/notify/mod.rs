//! inotify(7): tells programs what happens to files.
//!
//! Owns: which file and which directory an event is for.   Not here: what a watch wants, and the queue
//! (`rules::linux::inotify`).
//! Locks: an instance's watches, then a file's watchers, then an instance's queue; all are spin locks. The callers hold
//! no lock of the tree.
//! Invariant: a file whose file system has no watch costs one load per event, and takes no lock.
//! Why: decision 0127.
//! Source: Linux 6.1 include/linux/fsnotify.h, fs/notify/fsnotify.c (`__fsnotify_parent`).

pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod limits;
pub(crate) mod watchers;

use core::sync::atomic::{AtomicU32, Ordering};

use rules::abi::mode::FileType;
use rules::linux::inotify::mask::{Happened, NameState};

use self::watchers::Told;
use super::mount::Location;
use super::tmpfs::dentry::Dentry;
use super::tmpfs::inode::Inode;
use super::tmpfs::names::Name;

/// Adds that the file is a directory, if it is one.
pub(crate) fn with_kind(inode: &Inode, happened: Happened) -> Happened {
    if inode.is_directory() { happened | Happened::DIRECTORY } else { happened }
}

/// Tells of an event of an open file: the directory in which it was found by its name, and the file itself.
#[inline]
pub(crate) fn of_use(location: &Location, happened: Happened) {
    if location.inode.superblock().is_watched() {
        tell(&location.inode, location.dentry().as_deref(), happened, Through::OpenFile);
    }
}

/// Tells of an event of a file in the tree, as [`of_use`] does, whether or not its name was removed.
#[inline]
pub(crate) fn of_file(location: &Location, happened: Happened) {
    if location.inode.superblock().is_watched() {
        tell(&location.inode, location.dentry().as_deref(), happened, Through::Name);
    }
}

/// Tells of an event of a file that has this dentry, as [`of_file`] does.
pub(crate) fn of_dentry(inode: &Inode, dentry: Option<&Dentry>, happened: Happened) {
    if inode.superblock().is_watched() {
        tell(inode, dentry, happened, Through::Name);
    }
}

/// Tells of an event that concerns the file alone, not the directory.
pub(crate) fn of_inode(inode: &Inode, happened: Happened) {
    if inode.superblock().is_watched() {
        let told = Told { happened: with_kind(inode, happened), ..Told::default() };
        inode.watchers().tell(&told);
    }
}

/// Tells that `name` in `directory`, which leads to `inode`, was made.
pub(crate) fn of_name(directory: &Inode, happened: Happened, inode: &Inode, name: &Name) {
    of_entry(directory, with_kind(inode, happened), name, 0);
}

/// Tells of a change of an entry of `directory`.
pub(crate) fn of_entry(directory: &Inode, happened: Happened, name: &Name, cookie: u32) {
    if directory.superblock().is_watched() {
        let told = Told { happened, name: Some(name), cookie, ..Told::default() };
        directory.watchers().tell(&told);
    }
}

/// Tells that the entry `from` became `to`; the two events have the same cookie, which is not 0.
pub(crate) fn of_move(from: (&Inode, &Name), to: (&Inode, &Name), inode: &Inode) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    if !from.0.superblock().is_watched() {
        return;
    }
    let cookie = match NEXT.fetch_add(1, Ordering::Relaxed) {
        0 => NEXT.fetch_add(1, Ordering::Relaxed),
        cookie => cookie,
    };
    of_entry(from.0, with_kind(inode, Happened::MOVED_FROM), from.1, cookie);
    of_entry(to.0, with_kind(inode, Happened::MOVED_TO), to.1, cookie);
}

/// Through what an event came, which decides whether `IN_EXCL_UNLINK` means it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Through {
    OpenFile,
    Name,
}

/// Tells the directory first, and then the file.
#[cold]
fn tell(inode: &Inode, dentry: Option<&Dentry>, happened: Happened, through: Through) {
    let happened = with_kind(inode, happened);
    let place = dentry.and_then(Dentry::place);
    let state = match &place {
        Some(place) if through == Through::OpenFile => place.state,
        _ => NameState::Present,
    };
    if let Some(place) = place
        && is_told_above(inode, happened)
    {
        let told = Told { happened, name: Some(&place.name), state, ..Told::default() };
        place.directory.watchers().tell(&told);
    }
    inode.watchers().tell(&Told { happened, state, ..Told::default() });
}

/// Returns whether the directory is told: of the bytes of a device or a FIFO, only those are who may read it.
fn is_told_above(inode: &Inode, happened: Happened) -> bool {
    let is_special =
        !matches!(inode.file_type(), FileType::Regular | FileType::Directory | FileType::Symlink);
    !(is_special && happened.intersects(Happened::ACCESS | Happened::MODIFY))
}
