//! write(2), writev(2), pwrite64(2), pwritev(2), pwritev2(2).
//!
//! Owns: SIGPIPE, and the patience of a blocking write that goes on until everything is written.
//! Not here: what a write does (`File::write_at`), offsets (file/description).
//! Why: decision 0063.
//! Source: Linux 6.1 fs/read_write.c, fs/pipe.c (`pipe_write`).

use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::rw::RwFlags;
use rules::core::fd::Fd;
use rules::machine::transfer::Source as _;

use super::blocking::Blocking;
use super::buffers::{Buffers, Position};
use super::caller::{Caller, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::WriteExtent;
use crate::machine::memory::transfer::Source;

/// Writes the `len` bytes at `addr`, or the first of them, and returns how many.
///
/// # Errors
/// Nothing was written. `EBADF`: not open, or not for writing. `EFAULT`: the buffer is not readable. `EINVAL`: the
/// file cannot be written. `EAGAIN`: it would have to wait, and has `O_NONBLOCK`. `EINTR`: a signal came before the
/// first byte. `EPIPE`: nobody can read it any more; the caller gets SIGPIPE, too. `ENOSPC`, `EFBIG`: no room.
pub(crate) fn write(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize) -> SysResult {
    write_from(cx, fd, Buffers::One { addr, len }, Position::Current, RwFlags::empty())
}

/// Writes from the `count` buffers that are described at `iov`.
///
/// # Errors
/// As [`write()`]. `EINVAL`: more than `IOV_MAX` buffers, or a negative length.
pub(crate) fn writev(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize) -> SysResult {
    write_from(cx, fd, Buffers::Vector { iov, count }, Position::Current, RwFlags::empty())
}

/// Writes at `offset`, and leaves the file's own offset alone.
///
/// # Errors
/// As [`write()`]. `EINVAL`: a negative offset. `ESPIPE`: the file has no offsets.
pub(crate) fn pwrite64(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize, offset: i64) -> SysResult {
    write_from(cx, fd, Buffers::One { addr, len }, Position::parse(offset)?, RwFlags::empty())
}

/// [`writev`] and [`pwrite64`] together.
///
/// # Errors
/// Theirs.
pub(crate) fn pwritev(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize, offset: i64) -> SysResult {
    write_from(cx, fd, Buffers::Vector { iov, count }, Position::parse(offset)?, RwFlags::empty())
}

/// [`pwritev`] with flags, or [`writev`] with flags if `offset` is -1.
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
    if file.write_extent() == WriteExtent::All {
        return write_all(cx, &file, &mut from, |from| attempt(&file, from, position, status));
    }
    let start = from.position();
    let result = match attempt(&file, &mut from, position, status) {
        Poll::Ready(result) => result,
        Poll::Pending => Blocking::new(cx, &file, Events::WRITABLE).run_after_try(|| {
            // What a try that was not ready has taken is offered again.
            from.rewind(start);
            attempt(&file, &mut from, position, status)
        }),
    };
    result.inspect_err(|error| signal_broken_pipe(cx, *error))
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

/// Writes piece by piece until `from` is empty; with `O_NONBLOCK`, until there is no more room.
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
        // As mostly.
        Poll::Ready(Ok(written)) if written == len => Ok(written),
        first => write_rest(cx, file, from, (len, first), attempt),
    }
}

/// Goes on after the first piece, which was tried when there were `len` bytes.
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
            // Linux signals even where the bytes written before make the write a success.
            signal_broken_pipe(cx, error);
            if total > 0 { Ok(total) } else { Err(error) }
        }
        Poll::Ready(Ok(())) | Poll::Pending => Ok(total),
    }
}

/// Tries to write what is left in `from`, and adds it to the `total`. `Pending`: there is more to write.
///
/// # Errors
/// Those of `attempt`. One that waits to be reported is left to the next call if something was written.
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

/// Adds a piece to the `total`, and says whether there is more to write: `before` and `after` it, so many bytes were left.
fn add(
    total: &mut usize,
    before: usize,
    after: usize,
    piece: Poll<Result<usize, Errno>>,
) -> Poll<Result<(), Errno>> {
    let Poll::Ready(written) = piece? else { return Poll::Pending };
    *total += written;
    // Where more was taken than was written, the bytes in between were not readable.
    let is_torn = before - after != written;
    if is_torn || after == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
}

/// Sends the SIGPIPE that goes with `EPIPE`, if `error` is that.
pub(crate) fn signal_broken_pipe(cx: &impl Caller, error: Errno) {
    if error == Errno::EPIPE {
        cx.send_sigpipe();
    }
}
