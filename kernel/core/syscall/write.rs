//! write(2), writev(2), pwrite64(2), pwritev(2), pwritev2(2).
//!
//! Owns: SIGPIPE, and the loop of a blocking write that goes on until everything is written.
//! Not here: what a write does (`File::write_at`), offsets (`core/file/description`).
//! Why: decision 0063.
//! Source: Linux 6.1 fs/read_write.c, fs/pipe.c (`pipe_write`).

use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::rw::RwFlags;
use rules::core::fd::Fd;
use rules::machine::transfer::Source as _;

use super::blocking::Blocking;
use super::buffers::{Buffers, Position};
use super::caller::{Caller, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::WriteExtent;
use crate::machine::memory::transfer::Source;

/// Writes the `len` bytes at `addr`, or the first ones of them, and returns how many.
///
/// # Errors
/// Nothing was written. `EBADF`: not open, or not for writing. `EFAULT`: the buffer is not readable. `EINVAL`: the
/// file cannot be written. `EAGAIN`: it would block, and has `O_NONBLOCK`. `EINTR`: a signal came before the first
/// byte. `EPIPE`: no reader is left; the caller gets SIGPIPE, too. `ENOSPC`, `EFBIG`: no room.
#[inline(always)]
pub(crate) fn write(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize) -> SysResult {
    write_from(cx, fd, Buffers::One { addr, len }, Position::Current, RwFlags::empty())
}

/// Writes from the `count` buffers that the `struct iovec` at `iov` describe.
///
/// # Errors
/// As [`write()`]. `EINVAL`: more than `IOV_MAX` buffers, or a negative length.
pub(crate) fn writev(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize) -> SysResult {
    write_from(cx, fd, Buffers::Vector { iov, count }, Position::Current, RwFlags::empty())
}

/// Writes at `offset`, and leaves the description's offset alone.
///
/// # Errors
/// As [`write()`]. `EINVAL`: a negative offset. `ESPIPE`: the file has no offsets.
pub(crate) fn pwrite64(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize, offset: i64) -> SysResult {
    write_from(cx, fd, Buffers::One { addr, len }, Position::parse(offset)?, RwFlags::empty())
}

/// Performs [`writev`] at `offset`, as [`pwrite64`] does.
///
/// # Errors
/// Theirs.
pub(crate) fn pwritev(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize, offset: i64) -> SysResult {
    write_from(cx, fd, Buffers::Vector { iov, count }, Position::parse(offset)?, RwFlags::empty())
}

/// Performs [`pwritev`], or [`writev`] if `offset` is -1, with flags.
///
/// # Errors
/// Theirs. `EOPNOTSUPP`: an unknown flag.
pub(crate) fn pwritev2(cx: &mut impl Caller, fd: Fd, buffers: Buffers, offset: i64, flags: u32) -> SysResult {
    let position = Position::parse_optional(offset)?;
    match RwFlags::parse(flags) {
        Ok(flags) => write_from(cx, fd, buffers, position, flags),
        Err(unknown) => cx.files().get(fd).and(Err(unknown)),
    }
}

// See `read_to`.
#[inline(always)]
fn write_from(cx: &impl Caller, fd: Fd, buffers: Buffers, position: Position, flags: RwFlags) -> SysResult {
    let file = cx.files().get(fd)?;
    if matches!(position, Position::At(_)) && !file.is_seekable() {
        return Err(Errno::ESPIPE);
    }
    let mut from = buffers.to_source(cx.space(), || file.require_write())?;
    if buffers.is_vector() && from.remaining() == 0 {
        return Ok(0);
    }
    let status = file.status() | flags.to_status();
    if file.is_seekable()
        && let Some(room) = cx.write_limit(&file, position, status)?
    {
        from.truncate(room);
    }
    let tell = |written: &usize| file.tell(AccessMode::Write, *written);
    if file.write_extent() == WriteExtent::All {
        return write_all(cx, &file, &mut from, |from| attempt(&file, from, position, status)).inspect(tell);
    }
    let start = from.position();
    let result = match attempt(&file, &mut from, position, status) {
        Poll::Ready(result) => result,
        Poll::Pending => Blocking::new(cx, &file, Events::WRITABLE).run_after_try(|| {
            // Offers again what the pending try has taken.
            from.rewind(start);
            attempt(&file, &mut from, position, status)
        }),
    };
    result.inspect(tell).inspect_err(|error| signal_broken_pipe(cx, *error))
}

#[inline(always)]
fn attempt(
    file: &OpenFile,
    from: &mut dyn Source,
    position: Position,
    status: OpenFlags,
) -> Poll<Result<usize, Errno>> {
    match position {
        Position::Current => file.write(from, status),
        Position::At(offset) => file.write_at(offset, from, status),
    }
}

/// Writes piece by piece until `from` is empty or, with `O_NONBLOCK`, until the file is full.
///
/// # Errors
/// Nothing was written. An error after the first piece ends the write with a short count.
#[inline(always)]
pub(crate) fn write_all(
    cx: &impl Caller,
    file: &OpenFile,
    from: &mut dyn Source,
    mut attempt: impl FnMut(&mut dyn Source) -> Poll<Result<usize, Errno>>,
) -> SysResult {
    let len = from.remaining();
    match attempt(from) {
        // The usual case.
        Poll::Ready(Ok(written)) if written == len => Ok(written),
        first => write_rest(cx, file, from, (len, first), attempt),
    }
}

/// Continues after the `first` piece, of `len` bytes, was tried.
#[inline(never)]
fn write_rest(
    cx: &impl Caller,
    file: &OpenFile,
    from: &mut dyn Source,
    (len, first): (usize, Poll<Result<usize, Errno>>),
    mut attempt: impl FnMut(&mut dyn Source) -> Poll<Result<usize, Errno>>,
) -> SysResult {
    let mut total = 0;
    let mut result = add(&mut total, len, from.remaining(), first);
    if result.is_pending() {
        result = Poll::Ready(
            Blocking::new(cx, file, Events::WRITABLE)
                .run_after_try(|| try_rest(file, from, &mut total, &mut attempt)),
        );
    }
    match result {
        Poll::Ready(Err(error)) => {
            // Linux sends the signal even if earlier bytes make the write a success.
            signal_broken_pipe(cx, error);
            if total > 0 { Ok(total) } else { Err(error) }
        }
        Poll::Ready(Ok(())) | Poll::Pending => Ok(total),
    }
}

/// Tries to write what is left in `from`, and adds to the `total`. `Pending`: more is left to write.
///
/// # Errors
/// Those of `attempt`. If something was written, a pending error is left to the next call.
#[inline(always)]
pub(crate) fn try_rest(
    file: &OpenFile,
    from: &mut dyn Source,
    total: &mut usize,
    mut attempt: impl FnMut(&mut dyn Source) -> Poll<Result<usize, Errno>>,
) -> Poll<Result<(), Errno>> {
    if *total > 0 && file.file().has_pending_error() {
        return Poll::Ready(Ok(()));
    }
    let before = from.remaining();
    let piece = attempt(from);
    add(total, before, from.remaining(), piece)
}

/// Adds a piece to the `total`; `before` and `after` are the bytes left around it. `Pending`: more is left to write.
fn add(
    total: &mut usize,
    before: usize,
    after: usize,
    piece: Poll<Result<usize, Errno>>,
) -> Poll<Result<(), Errno>> {
    let Poll::Ready(written) = piece? else { return Poll::Pending };
    *total += written;
    // If more was taken than written, some of the bytes were not readable.
    let is_torn = before - after != written;
    if is_torn || after == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
}

/// Sends the caller SIGPIPE if `error` is `EPIPE`.
pub(crate) fn signal_broken_pipe(cx: &impl Caller, error: Errno) {
    if error == Errno::EPIPE {
        cx.send_sigpipe();
    }
}
