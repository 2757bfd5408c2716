//! read(2), readv(2), pread64(2), preadv(2), preadv2(2).
//!
//! Not here: what a read does (`File::read_at`), offsets (`core/file/description`).
//! Why: decision 0063.
//! Source: Linux 6.1 fs/read_write.c.

use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::open::AccessMode;
use rules::abi::rw::RwFlags;
use rules::core::fd::Fd;
use rules::machine::transfer::Sink as _;

use super::blocking::Blocking;
use super::buffers::{Buffers, Position};
use super::caller::{Caller, SysResult};
use crate::core::file::description::OpenFile;
use crate::machine::memory::transfer::Sink;

/// Reads at most `len` bytes to `addr` and returns how many; 0 at the end of the file.
///
/// # Errors
/// `EBADF`: not open, or not for reading. `EFAULT`: the buffer is not writable. `EINVAL`, `EISDIR`: the file cannot
/// be read. `EAGAIN`: it would block, and has `O_NONBLOCK`. `EINTR`: a signal came before the first byte.
pub(crate) fn read(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize) -> SysResult {
    read_to(cx, fd, Buffers::One { addr, len }, Position::Current)
}

/// Reads to the `count` buffers that the `struct iovec` at `iov` describe.
///
/// # Errors
/// As [`read`]. `EINVAL`: more than `IOV_MAX` buffers, or a negative length.
pub(crate) fn readv(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize) -> SysResult {
    read_to(cx, fd, Buffers::Vector { iov, count }, Position::Current)
}

/// Reads at `offset`, and leaves the description's offset alone.
///
/// # Errors
/// As [`read`]. `EINVAL`: a negative offset. `ESPIPE`: the file has no offsets.
pub(crate) fn pread64(cx: &mut impl Caller, fd: Fd, addr: usize, len: usize, offset: i64) -> SysResult {
    read_to(cx, fd, Buffers::One { addr, len }, Position::parse(offset)?)
}

/// Performs [`readv`] at `offset`, as [`pread64`] does.
///
/// # Errors
/// Theirs.
pub(crate) fn preadv(cx: &mut impl Caller, fd: Fd, iov: usize, count: usize, offset: i64) -> SysResult {
    read_to(cx, fd, Buffers::Vector { iov, count }, Position::parse(offset)?)
}

/// Performs [`preadv`], or [`readv`] if `offset` is -1, with flags.
///
/// # Errors
/// Theirs. `EOPNOTSUPP`: an unknown flag.
pub(crate) fn preadv2(cx: &mut impl Caller, fd: Fd, buffers: Buffers, offset: i64, flags: u32) -> SysResult {
    let position = Position::parse_optional(offset)?;
    // None of the known flags changes a read.
    if let Err(unknown) = RwFlags::parse(flags) {
        return cx.files().get(fd).and(Err(unknown));
    }
    read_to(cx, fd, buffers, position)
}

// Each caller passes constants for half of the arguments: inlined, read(2) does not pay for the other calls' cases.
#[inline(always)]
fn read_to(cx: &impl Caller, fd: Fd, buffers: Buffers, position: Position) -> SysResult {
    let file = cx.files().get(fd)?;
    if matches!(position, Position::At(_)) && !file.is_seekable() {
        return Err(Errno::ESPIPE);
    }
    let mut to = buffers.to_sink(cx.space(), || file.require_read())?;
    if buffers.is_vector() && to.remaining() == 0 {
        return Ok(0);
    }
    let len = to.remaining();
    // At the end of the file, only readv(2) counts as a read, as on Linux.
    let tell = |read: &usize| file.tell(AccessMode::Read, *read + usize::from(buffers.is_vector()));
    let blocking = Blocking::read(cx, &file, len);
    // As `Blocking::run`, which does not get the first try inlined.
    let result = if !blocking.finds_nothing()
        && let Poll::Ready(result) = attempt(&file, &mut to, position)
    {
        result
    } else {
        blocking.run_after_try(|| attempt(&file, &mut to, position))
    };
    result.inspect(tell)
}

#[inline(always)]
fn attempt(file: &OpenFile, to: &mut dyn Sink, position: Position) -> Poll<Result<usize, Errno>> {
    match position {
        Position::Current => file.read(to),
        Position::At(offset) => file.read_at(offset, to),
    }
}
