//! ioctl(2).
//!
//! Owns: requests that apply to every file.   Not here: the others (`File::ioctl`).
//! Source: Linux 6.1 fs/ioctl.c (`do_vfs_ioctl`).

mod job;
mod netdevice;
mod pty;

use alloc::sync::Arc;
use core::any::Any;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::ioctl::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD};
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::abi::termios::{TIOCGPTPEER, TIOCSPGRP};

use self::pty::TerminalEnd;
use super::context::{Caller, Context, SysResult};
use super::sigio;
use crate::core::file::description::OpenFile;
use crate::core::syscall::blocking::Blocking;
use crate::linux::terminal::Terminal;
use crate::machine::memory::user::UserPtr;

/// Performs `request` on the file behind `fd`.
///
/// # Errors
/// `EBADF`: not open. `ENOTTY`: the file does not support the request. `EFAULT`: `argument` is not accessible. Those
/// of the requests.
pub(crate) fn ioctl(cx: &mut Context<'_>, fd: Fd, request: u32, argument: usize) -> SysResult {
    let files = cx.files();
    let file = files.get(fd)?;
    match request {
        FIOCLEX => files.set_on_exec(fd, OnExec::Close).map(|()| 0),
        FIONCLEX => files.set_on_exec(fd, OnExec::Keep).map(|()| 0),
        FIONBIO => {
            let on = read_flag(cx, argument)?;
            file.update_status(
                |status| if on { status | OpenFlags::NONBLOCK } else { status - OpenFlags::NONBLOCK },
            );
            Ok(0)
        }
        FIOASYNC => sigio::set_async(cx, fd, &file, read_flag(cx, argument)?).map(|()| 0),
        FIONREAD => unread(cx, &file, argument),
        TIOCGPTPEER => pty::open_peer(cx, &file, argument),
        _ if job::is_one(request) => {
            let (terminal, end) = terminal(&file)?;
            if terminal.is_hung_up() {
                return Err(if request == TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO });
            }
            job::serve(cx, &terminal, end, request, argument)
        }
        _ if sigio::is_one(request) => sigio::serve(cx, &file, request, argument),
        _ if netdevice::is_one(request) => netdevice::serve(cx, &file, request, argument),
        _ => Blocking::new(cx, &file, Events::WRITABLE)
            .run(|| file.file().ioctl(request, argument, cx.space())),
    }
}

/// Returns the terminal behind `file`.
fn terminal(file: &OpenFile) -> Result<(Arc<Terminal>, TerminalEnd), Errno> {
    if let Some((terminal, end)) = pty::terminal(file) {
        return Ok((terminal.clone(), end));
    }
    let any: Arc<dyn Any + Send + Sync> = file.file().clone();
    any.downcast().map(|terminal| (terminal, TerminalEnd::Terminal)).map_err(|_| Errno::ENOTTY)
}

/// Returns the foreground group of a terminal, or of a pseudoterminal's slave; 0 for none.
pub(super) fn foreground(file: &OpenFile) -> u32 {
    match terminal(file) {
        Ok((terminal, TerminalEnd::Terminal)) => terminal.owner().foreground,
        _ => 0,
    }
}

fn read_flag(cx: &Context<'_>, argument: usize) -> Result<bool, Errno> {
    UserPtr::<u32>::new(cx.space(), argument).read().map(|value| value != 0)
}

fn unread(cx: &Context<'_>, file: &OpenFile, argument: usize) -> SysResult {
    let unread = file.file().bytes_readable(*file.offset())?;
    let unread = u32::try_from(unread).unwrap_or(i32::MAX.unsigned_abs());
    UserPtr::<u32>::new(cx.space(), argument).write(&unread)?;
    Ok(0)
}
