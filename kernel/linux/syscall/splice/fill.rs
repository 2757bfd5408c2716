//! From another file, or from the caller's memory, into a pipe.
//!
//! Source: Linux 6.1 fs/splice.c (`splice_file_to_pipe`, `generic_file_splice_read`, `vmsplice_to_pipe`), net/ipv4/tcp.c
//! (`tcp_splice_read`), net/unix/af_unix.c (`unix_stream_splice_read`).

use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::core::seek::OFFSET_MAX;
use rules::linux::splice::{MOST, Parcel};
use rules::machine::transfer::Source as _;
use rules::net::abi::socket::{family, kind};

use super::{Caller, Context, OpenPipe, SpliceFlags, SysResult, support};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::object::pipe::pool::PagePool;
use crate::core::syscall::blocking::Blocking;
use crate::core::syscall::write;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::user::{UserPtr, UserSource};
use crate::net::file as net_file;

/// How much of a file one call reads.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Extent {
    /// As much as there is room for in the pipe.
    All,
    /// One message, or what a terminal returns at once.
    Once,
}

/// Reads at most `len` bytes of `from`, at `position` if it has offsets, and advances that.
///
/// # Errors
/// Nothing was read. Those of splice(2).
pub(super) fn from_file(
    cx: &Context<'_>,
    from: &OpenFile,
    position: &mut u64,
    to: OpenPipe<'_>,
    len: usize,
    flags: SpliceFlags,
) -> SysResult {
    to.wait_for_room(cx, flags).inspect_err(|error| write::signal_broken_pipe(cx, *error))?;
    if *position > OFFSET_MAX || !support::is_readable(from) {
        return Err(Errno::EINVAL);
    }
    let socket_type = net_file::socket(from).ok().map(|socket| socket.socket_type());
    let is_stream = socket_type.as_ref().is_some_and(|is| is.kind == kind::SOCK_STREAM);
    let is_regular = FileType::from_mode(from.stat().mode) == Some(FileType::Regular);
    let extent = if is_stream || is_regular { Extent::All } else { Extent::Once };
    // Of all files, only local streams heed the flag.
    let is_local = is_stream && socket_type.is_some_and(|is| is.family == family::AF_UNIX);
    let mut total = 0;
    while total < len {
        let may_wait = total == 0 && !(is_local && flags.contains(SpliceFlags::NONBLOCK));
        let mut call = Blocking::read(cx, from, len);
        if !may_wait {
            call = call.timeout(Timeout::Now);
        }
        let read = call.run(|| read_some(from, *position, to, len - total));
        match read {
            Ok(0) => break,
            Ok(read) => {
                total += read;
                if from.is_seekable() {
                    *position += read as u64;
                }
            }
            Err(_) if total > 0 => break,
            Err(error) => {
                write::signal_broken_pipe(cx, error);
                return Err(error);
            }
        }
        if extent == Extent::Once || cx.thread().is_dying() {
            break;
        }
    }
    Ok(total)
}

fn read_some(from: &OpenFile, position: u64, to: OpenPipe<'_>, len: usize) -> Poll<Result<usize, Errno>> {
    let room = to.end.room()?;
    if room == 0 {
        return Poll::Ready(Ok(0));
    }
    let start = if from.is_seekable() { position as usize % PAGE_SIZE } else { 0 };
    let mut parcel = Parcel::with_room(len, start, room.min(MOST), &mut PagePool)?;
    let read = from.file().read_at(position, &mut parcel.sink(len));
    match read {
        Poll::Ready(Ok(1..)) => Poll::Ready(to.end.put(parcel)),
        other => {
            parcel.free(&mut PagePool);
            other
        }
    }
}

/// Copies bytes of the caller's memory into the pipe `file`, as many as there is room for. The slots are cut as the
/// pages of the memory are, which Linux lends.
///
/// # Errors
/// Nothing was copied. Those of vmsplice(2).
pub(super) fn from_memory(
    cx: &Context<'_>,
    (iov, count): (usize, usize),
    file: &OpenFile,
    flags: SpliceFlags,
) -> SysResult {
    if UserSource::vector(cx.space(), iov, count)?.remaining() == 0 {
        return Ok(0);
    }
    let to = OpenPipe::of(file).ok_or(Errno::EBADF)?;
    to.wait_for_room(cx, flags).inspect_err(|error| write::signal_broken_pipe(cx, *error))?;
    let mut total = 0;
    for number in 0..count {
        let [addr, len] = UserPtr::<[usize; 2]>::new(cx.space(), iov).at(number).read()?;
        let mut from = UserSource::buffer(cx.space(), addr, len)?;
        while from.remaining() > 0 {
            let start = (addr + len - from.remaining()) % PAGE_SIZE;
            match copy_some(&mut from, start, to) {
                Ok(0) => return Ok(total),
                Ok(copied) => total += copied,
                Err(error) => {
                    write::signal_broken_pipe(cx, error);
                    return if total > 0 { Ok(total) } else { Err(error) };
                }
            }
        }
    }
    Ok(total)
}

fn copy_some(from: &mut UserSource<'_>, start: usize, to: OpenPipe<'_>) -> SysResult {
    let room = to.end.room()?;
    if room == 0 {
        return Ok(0);
    }
    let mut parcel = Parcel::with_room(from.remaining(), start, room.min(MOST), &mut PagePool)?;
    let mut sink = parcel.sink(from.remaining());
    loop {
        let space = sink.space();
        let wanted = space.len();
        let taken = if wanted == 0 { 0 } else { from.take(space) };
        sink.grow(taken);
        if taken == 0 || taken < wanted {
            break;
        }
    }
    if parcel.is_empty() {
        parcel.free(&mut PagePool);
        return Err(Errno::EFAULT);
    }
    to.end.put(parcel)
}
