//! sendfile(2).
//!
//! The bytes pass through a small kernel buffer; the program saves two system calls for each piece.
//! Source: Linux 6.1 fs/read_write.c (`do_sendfile`), fs/splice.c (`splice_direct_to_actor`).

use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::fd::Fd;
use rules::core::seek::OFFSET_MAX;
use rules::machine::fallible;

use super::context::{Caller, Context, SysResult};
use super::splice;
use crate::core::file::description::OpenFile;
use crate::core::object::pipe::PipeEnd;
use crate::core::syscall::write;
use crate::machine::memory::transfer::Source;
use crate::machine::memory::user::{MAX_RW_COUNT, UserPtr};

/// The size of the buffer.
const PIECE: usize = 16 << 10;

/// Copies at most `count` bytes from `from`, a regular file, to `to`, and returns how many. It reads at the offset
/// behind the pointer `offset`, or at the file's own if that is null, and advances it.
///
/// # Errors
/// Nothing was copied. `EBADF`: not open for this. `EINVAL`: `from` is not a regular file, `to` has `O_APPEND` or takes
/// values rather than bytes, as an eventfd, or the offset is negative. `ESPIPE`: an offset for a file that has none. `EFAULT`: the offset is not accessible.
/// `EOVERFLOW`: the offset is the largest. Those of write(2).
pub(crate) fn sendfile(cx: &mut Context<'_>, to: Fd, from: Fd, offset: usize, count: usize) -> SysResult {
    let offset = UserPtr::<u64>::new(cx.space(), offset);
    let start = if offset.is_null() { None } else { Some(offset.read()?) };
    let files = cx.files();
    let from = files.get(from)?;
    from.require_read()?;
    let mut position = match start {
        None => *from.offset(),
        Some(_) if !from.file().is_seekable() => return Err(Errno::ESPIPE),
        Some(start) if start > OFFSET_MAX => return Err(Errno::EINVAL),
        Some(start) => start,
    };
    let to = files.get(to)?;
    to.require_write()?;
    if count == 0 {
        return Ok(0);
    }
    if position == OFFSET_MAX {
        return Err(Errno::EOVERFLOW);
    }
    if !is_regular(&from) || to.status().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    let takes_bytes = to.downcast::<PipeEnd>().is_some() || splice::is_writable(&to);
    let copied = copy(cx, &from, &mut position, count.min(MAX_RW_COUNT), |piece| {
        if !takes_bytes {
            return Err(Errno::EINVAL);
        }
        write::write_all(cx, &to, piece, |from| to.write(from, to.status()))
    });
    if start.is_some() {
        offset.write(&position)?;
    } else {
        *from.offset() = position;
    }
    tell(&from, &to, copied.unwrap_or_default());
    copied
}

/// Tells those who watch one of the files.
pub(super) fn tell(from: &OpenFile, to: &OpenFile, copied: usize) {
    // A regular file is written as by write(2), and the call counts as another write.
    if is_regular(to) {
        to.tell(AccessMode::Write, copied);
    }
    from.tell(AccessMode::Read, copied);
    to.tell(AccessMode::Write, copied);
}

fn is_regular(file: &OpenFile) -> bool {
    FileType::from_mode(file.stat().mode) == Some(FileType::Regular)
}

/// Reads `count` bytes from `position` on, advances it, and passes each piece to `write`, which returns how many it
/// took.
///
/// # Errors
/// Nothing was written. `ENOMEM`: no memory for the buffer. Those of read(2) and of `write`.
pub(super) fn copy(
    cx: &Context<'_>,
    from: &OpenFile,
    position: &mut u64,
    count: usize,
    mut write: impl FnMut(&mut dyn Source) -> SysResult,
) -> SysResult {
    let mut piece = fallible::zeroes(PIECE)?;
    let mut total = 0;
    // Copying two gigabytes takes seconds, so a killed thread stops early.
    while total < count && !cx.thread().is_dying() {
        let wanted = PIECE.min(count - total);
        let read = match from.read_at(*position, &mut &mut piece[..wanted]) {
            Poll::Ready(Ok(0)) => break,
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(error)) if total == 0 => return Err(error),
            Poll::Ready(Err(_)) | Poll::Pending => break,
        };
        match write(&mut &piece[..read]) {
            Ok(written) => {
                total += written;
                *position += written as u64;
                if written < read {
                    break;
                }
            }
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(total)
}
