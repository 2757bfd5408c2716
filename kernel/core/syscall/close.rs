//! close(2), close_range(2).

use alloc::sync::Arc;
use core::task::Poll;

use bitflags::bitflags;
use pollee::{Events, Recheck};
use rules::abi::errno::Errno;
use rules::core::fd::Fd;

use super::patience;
use crate::core::file::description::OpenFile;
use crate::core::file::many::Timeout;
use crate::linux::syscall::context::{Context, SysResult};
use crate::machine::clock;
use crate::net::socket::TcpSocket;

bitflags! {
    /// How close_range(2) goes about it.
    struct CloseRangeFlags: u32 {
        /// `CLOSE_RANGE_UNSHARE`: in a table of the caller's own.
        const UNSHARE = 1 << 1;
        /// `CLOSE_RANGE_CLOEXEC`: not now, but at execve(2).
        const CLOSE_ON_EXEC = 1 << 2;
    }
}

/// Frees `fd`.
///
/// # Errors
/// `EBADF`: not open.
pub(crate) fn close(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    let file = cx.files().close(fd)?;
    if let Some(socket) = file.downcast::<TcpSocket>() {
        linger(cx, &file, socket);
    }
    drop(file);
    Ok(0)
}

/// Waits until the peer has everything, where the socket asks for it (`SO_LINGER`) and nobody else has it open. A signal
/// ends the wait.
fn linger(cx: &Context<'_>, file: &Arc<OpenFile>, socket: &TcpSocket) {
    if Arc::strong_count(file) > 1 {
        return;
    }
    let Some(time) = socket.begin_lingering() else { return };
    let until = Timeout::At(clock::now() + time);
    let _ = patience::within(cx, file, (Events::WRITABLE, Recheck::Try), until, || {
        if socket.is_flushed() { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
}

/// Frees all descriptors from `first` to `last`, or marks them.
///
/// # Errors
/// Nothing was closed. `EINVAL`: an unknown flag, or `first` is above `last`. `ENOMEM`: no table of its own.
pub(crate) fn close_range(cx: &mut Context<'_>, first: Fd, last: Fd, flags: u32) -> SysResult {
    let flags = CloseRangeFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if first > last {
        return Err(Errno::EINVAL);
    }
    let mut files = cx.files().clone();
    if flags.contains(CloseRangeFlags::UNSHARE) {
        files = Arc::new(files.try_clone()?);
        drop(cx.process().replace_files(files.clone()));
        cx.renew();
    }
    if flags.contains(CloseRangeFlags::CLOSE_ON_EXEC) {
        files.set_close_on_exec(first, last);
    } else {
        files.close_range(first, last);
    }
    Ok(0)
}
