//! The owners of files: fcntl(2) (`F_SETOWN`, `F_SETSIG`, `O_ASYNC` …), and ioctl(2) (`FIOASYNC`, `SIOCSPGRP` …).
//!
//! Not here: what becomes of events (linux/task/signal/sigio).
//! Source: fcntl(2), socket(7), tty_ioctl(4); Linux 6.1 fs/fcntl.c, fs/ioctl.c (`ioctl_fioasync`), net/socket.c
//! (`sock_ioctl`), drivers/tty/tty_io.c (`__tty_fasync`).

use rules::abi::errno::Errno;
use rules::abi::ioctl::{FIOGETOWN, FIOSETOWN, SIOCGPGRP, SIOCSPGRP};
use rules::abi::open::OpenFlags;
use rules::abi::signal::Signal;
use rules::core::fd::Fd;
use rules::linux::sigio::{Kind, Owner, OwnerKind};

use super::context::{Caller, Context, SysResult};
use super::ioctl;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::linux::task::signal::sigio;
use crate::linux::terminal::pty::Master;
use crate::machine::memory::user::UserPtr;
use crate::net::file;

/// `F_SETOWN`, `FIOSETOWN`: makes a process the owner, or a group if `number` is negative.
///
/// # Errors
/// Nothing changed. `EINVAL`: no possible ID. `ESRCH`: nobody has it. `ENOMEM`.
pub(super) fn set_owner(cx: &Context<'_>, file: &OpenFile, number: i32) -> SysResult {
    set(cx, file, Owner::from_number(number)?)
}

fn set(cx: &Context<'_>, file: &OpenFile, owner: Owner) -> SysResult {
    let credentials = cx.process().credentials.lock().clone();
    sigio::set_owner(file, owner, &credentials).map(|()| 0)
}

/// `F_GETOWN`: as [`set_owner`] takes it, so a group may look like an error; 0 for nobody.
pub(super) fn owner(file: &OpenFile) -> usize {
    sigio::target(file).owner().to_number() as isize as usize
}

/// `F_SETOWN_EX`: reads a `struct f_owner_ex`.
///
/// # Errors
/// As [`set_owner`]. `EINVAL`: no such kind of owner. `EFAULT`.
pub(super) fn set_owner_ex(cx: &Context<'_>, file: &OpenFile, at: usize) -> SysResult {
    let words = UserPtr::<[u32; 2]>::new(cx.space(), at).read()?;
    set(cx, file, Owner::from_words(words)?)
}

/// `F_GETOWN_EX`: writes a `struct f_owner_ex`.
///
/// # Errors
/// `EFAULT`.
pub(super) fn owner_ex(cx: &Context<'_>, file: &OpenFile, at: usize) -> SysResult {
    UserPtr::<[u32; 2]>::new(cx.space(), at).write(&sigio::target(file).owner().to_words()).map(|()| 0)
}

/// `F_GETOWNER_UIDS`: writes the real and the effective user who set the owner.
///
/// # Errors
/// `EFAULT`.
pub(super) fn owner_users(cx: &Context<'_>, file: &OpenFile, at: usize) -> SysResult {
    UserPtr::<[u32; 2]>::new(cx.space(), at).write(&sigio::target(file).users()).map(|()| 0)
}

/// `F_SETSIG`: 0 stands for `SIGIO` without details.
///
/// # Errors
/// `EINVAL`: no such signal. `ENOMEM`.
pub(super) fn set_signal(file: &OpenFile, number: usize) -> SysResult {
    let signal = match number {
        0 => None,
        number => Some(Signal::new(number).ok_or(Errno::EINVAL)?),
    };
    sigio::set_signal(file, signal).map(|()| 0)
}

/// `F_GETSIG`.
pub(super) fn signal(file: &OpenFile) -> usize {
    sigio::target(file).signal().map_or(0, |signal| usize::from(signal.number()))
}

/// Follows `O_ASYNC` in `status`, which `F_SETFL` sets. A file that sends no signals ignores it.
///
/// # Errors
/// Nothing changed. `ENOMEM`.
pub(super) fn follow_status(
    cx: &Context<'_>,
    fd: Fd,
    file: &OpenFile,
    status: OpenFlags,
) -> Result<(), Errno> {
    match set_async(cx, fd, file, status.contains(OpenFlags::ASYNC)) {
        Err(Errno::ENOTTY) => Ok(()),
        result => result,
    }
}

/// `FIOASYNC`: sets or clears `O_ASYNC`.
///
/// # Errors
/// Nothing changed. `ENOTTY`: the file sends no signals. `ENOMEM`.
pub(super) fn set_async(cx: &Context<'_>, fd: Fd, file: &OpenFile, on: bool) -> Result<(), Errno> {
    if file.status().contains(OpenFlags::ASYNC) == on {
        return Ok(());
    }
    let kind = match file.file().class() {
        Class::Pipe => Kind::Pipe,
        Class::Socket => Kind::Socket,
        Class::Console | Class::Pty if file.downcast::<Master>().is_some() => Kind::Master,
        Class::Console | Class::Pty => Kind::Terminal,
        _ => return Err(Errno::ENOTTY),
    };
    if !on {
        sigio::end(file);
        return Ok(());
    }
    sigio::begin(file, kind, fd.number().cast_signed())?;
    if matches!(kind, Kind::Terminal | Kind::Master) && !sigio::target(file).is_owned() {
        let owner = match ioctl::foreground(file) {
            0 => Owner { kind: OwnerKind::Process, id: cx.thread().tid() },
            id => Owner { kind: OwnerKind::Group, id },
        };
        set(cx, file, owner)?;
    }
    Ok(())
}

/// Returns whether `request` is one of a socket's owner.
pub(super) const fn is_one(request: u32) -> bool {
    matches!(request, FIOSETOWN | FIOGETOWN | SIOCSPGRP | SIOCGPGRP)
}

/// Performs such a request with the number at `argument`.
///
/// # Errors
/// As [`set_owner`]. `ENOTTY`: not a socket. `EFAULT`.
pub(super) fn serve(cx: &Context<'_>, file: &OpenFile, request: u32, argument: usize) -> SysResult {
    file::socket(file).map_err(|_| Errno::ENOTTY)?;
    let place = UserPtr::<i32>::new(cx.space(), argument);
    match request {
        FIOSETOWN | SIOCSPGRP => set_owner(cx, file, place.read()?),
        _ => place.write(&sigio::target(file).owner().to_number()).map(|()| 0),
    }
}
