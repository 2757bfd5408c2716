//! read(2) and readv(2) of terminals that do not read lines: VMIN and VTIME.
//!
//! A read of any file comes here only if it found too little, so other files pay nothing for it.
//! Not here: what a terminal has (`rules::linux::tty`).
//! Source: termios(3); Linux 6.1 drivers/tty/n_tty.c (`n_tty_read`).

use core::task::Poll;
use core::time::Duration;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::machine::transfer::Sink as _;

use super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::blocking::Blocking;
use crate::core::syscall::buffers::Buffers;
use crate::core::syscall::caller::Restart;
use crate::core::syscall::read;
use crate::linux::terminal::{self, Terminal};
use crate::machine::clock;
use crate::machine::memory::user::UserSink;

/// As [`read::read`].
///
/// # Errors
/// As [`read::read`].
#[inline(always)]
pub(crate) fn read(cx: &mut Context<'_>, fd: Fd, addr: usize, len: usize) -> SysResult {
    match read::read(cx, fd, addr, len) {
        Err(error @ (Errno::EAGAIN | Errno::EINTR)) => finish(cx, fd, Buffers::One { addr, len }, error),
        done => done,
    }
}

/// As [`read::readv`].
///
/// # Errors
/// As [`read::readv`].
pub(crate) fn readv(cx: &mut Context<'_>, fd: Fd, iov: usize, count: usize) -> SysResult {
    match read::readv(cx, fd, iov, count) {
        Err(error @ (Errno::EAGAIN | Errno::EINTR)) => finish(cx, fd, Buffers::Vector { iov, count }, error),
        done => done,
    }
}

/// Finishes a read that failed with `error`: if it is of a terminal, with the bytes that are there.
#[cold]
fn finish(cx: &Context<'_>, fd: Fd, buffers: Buffers, error: Errno) -> SysResult {
    let Ok(file) = cx.files().get(fd) else { return Err(error) };
    let Some(terminal) = terminal::of(&file) else { return Err(error) };
    let Some(patience) = terminal.patience() else { return Err(error) };
    if error == Errno::EINTR {
        // A time limit of a terminal restarts, unlike one of a socket.
        cx.set_restart(Restart::AsHandlersSay);
    }
    let mut to = buffers.to_sink(cx.space(), || Ok(()))?;
    if error == Errno::EAGAIN && !file.is_nonblocking() {
        if patience.unread == 0 && patience.minimum == 0 {
            return Ok(0);
        }
        if let Err(Errno::EINTR) = wait(cx, &file, terminal, patience.minimum.min(to.remaining())) {
            cx.set_restart(Restart::AsHandlersSay);
        }
    }
    take(terminal, &mut to, error)
}

/// Waits until there are `minimum` bytes, or until no byte has come for as long as VTIME says.
///
/// # Errors
/// `EAGAIN`: none has come. `EINTR`, `ENOMEM`.
fn wait(cx: &Context<'_>, file: &OpenFile, terminal: &Terminal, minimum: usize) -> Result<(), Errno> {
    loop {
        let Some(patience) = terminal.patience() else { return Ok(()) };
        if patience.unread >= minimum || patience.time == Duration::ZERO {
            return Ok(());
        }
        let until = Timeout::At(clock::now() + patience.time);
        let has_more = || terminal.patience().is_none_or(|now| now.unread != patience.unread);
        Blocking::new(cx, file, Events::READABLE)
            .timeout(until)
            .run(|| if has_more() { Poll::Ready(Ok(())) } else { Poll::Pending })?;
    }
}

fn take(terminal: &Terminal, to: &mut UserSink<'_>, error: Errno) -> SysResult {
    match terminal.read_at_once(to) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(error),
    }
}
