//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
//!
//! Not here: what a watch is told (`fs/notify`).
//! Source: Linux 6.1 fs/notify/inotify/inotify_user.c.

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::access::Access;
use rules::linux::inotify::mask::{Request, WatchFlags};

use super::at::{EmptyPath, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::linux::fs::notify::file::{self, Inotify};
use crate::linux::fs::path::LastLink;

/// inotify_init1(2); inotify_init(2) has no flags.
///
/// # Errors
/// `EINVAL`: an unknown flag. `EMFILE`: the user has too many instances, or no number is free. `ENOMEM`.
pub(crate) fn inotify_init1(cx: &mut Context<'_>, flags: u32) -> SysResult {
    let known = OpenFlags::NONBLOCK | OpenFlags::CLOSE_ON_EXEC;
    let flags = OpenFlags::from_bits(flags).filter(|flags| known.contains(*flags)).ok_or(Errno::EINVAL)?;
    let file = file::create(cx.credentials().uid(), flags)?;
    cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index)
}

/// inotify_add_watch(2): watches the file at the path, and returns the number of the watch.
///
/// # Errors
/// Nothing changed. `EINVAL`: an unknown bit, none, two that exclude each other, or not an inotify instance. `EBADF`:
/// not open. `EACCES`: the file may not be read. `ENOTDIR`: `IN_ONLYDIR`, and it is no directory. `EEXIST`:
/// `IN_MASK_CREATE`, and it is watched. `ENOSPC`: the user has too many watches. `EFAULT`, `ENOENT`, `ENOMEM`.
pub(crate) fn inotify_add_watch(cx: &mut Context<'_>, fd: Fd, path: usize, mask: u32) -> SysResult {
    let request = Request::parse(mask)?;
    let file = cx.files().get(fd)?;
    if request.flags.contains(WatchFlags::MASK_ADD | WatchFlags::MASK_CREATE) {
        return Err(Errno::EINVAL);
    }
    let instance = instance(&file)?;
    let keeps = request.flags.contains(WatchFlags::DONT_FOLLOW);
    let last_link = if keeps { LastLink::Keep } else { LastLink::Follow };
    let location = cx.locate(AT_FDCWD, path, Lookup { last_link, empty_path: EmptyPath::Missing })?;
    if request.flags.contains(WatchFlags::ONLY_DIRECTORY) {
        location.inode.directory()?;
    }
    location.inode.check(&cx.credentials(), Access::READ)?;
    // Positive: numbers begin with 1.
    instance.group().watch(&location.inode, request).map(|number| number as usize)
}

/// inotify_rm_watch(2): ends a watch.
///
/// # Errors
/// `EBADF`: not open. `EINVAL`: not an inotify instance, or it has no such watch.
pub(crate) fn inotify_rm_watch(cx: &mut Context<'_>, fd: Fd, number: i32) -> SysResult {
    let file = cx.files().get(fd)?;
    instance(&file)?.group().remove(number).map(|()| 0)
}

fn instance(file: &Arc<OpenFile>) -> Result<&Inotify, Errno> {
    file.downcast().ok_or(Errno::EINVAL)
}
