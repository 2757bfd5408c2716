//! splice(2), tee(2), vmsplice(2): bytes between pipes, and between a pipe and another file or the caller's memory.
//!
//! Owns: the arguments, and which two files go together.   Not here: the slots (`rules::linux::splice`), the pipe's lock
//! (`ends`), the three ways (`between`, `drain`, `fill`).
//! Slots move from pipe to pipe without a copy; other files copy from and to them.
//! Why: decision 0130.
//! Source: Linux 6.1 fs/splice.c.

mod between;
mod drain;
mod ends;
mod fill;
mod support;

pub(super) use self::support::is_writable;

use alloc::sync::Arc;

use bitflags::bitflags;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::Fd;
use rules::core::seek::OFFSET_MAX;
use rules::machine::transfer::Sink as _;

use super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;
use crate::core::object::pipe::PipeEnd;
use crate::core::syscall::blocking::Blocking;
use crate::machine::memory::user::{MAX_RW_COUNT, UserPtr, UserSink};

bitflags! {
    /// The flags of the three calls.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    struct SpliceFlags: u32 {
        /// `SPLICE_F_MOVE`: a hint without effect, as on Linux.
        const MOVE = 1;
        /// `SPLICE_F_NONBLOCK`: waits for no pipe.
        const NONBLOCK = 2;
        /// `SPLICE_F_MORE`: more data will follow, as `MSG_MORE`.
        const MORE = 4;
        /// `SPLICE_F_GIFT`: the program will not touch the memory any more; a hint without effect.
        const GIFT = 8;
    }
}

/// A pipe behind a descriptor.
#[derive(Clone, Copy)]
struct OpenPipe<'a> {
    file: &'a OpenFile,
    end: &'a PipeEnd,
}

impl<'a> OpenPipe<'a> {
    fn of(file: &'a OpenFile) -> Option<Self> {
        file.downcast().map(|end| Self { file, end })
    }
}

/// A descriptor, and the address of an offset, or null for the file's own.
pub(crate) type SpliceEnd = (Fd, usize);

/// splice(2): moves at most `len` bytes from `from` to `to`, of which at least one is a pipe, and returns how many; 0 at
/// the end of the file.
///
/// # Errors
/// Nothing was moved. `EINVAL`: unknown flags, no pipe, twice the same pipe, a file that has no splicing or appends
/// (`O_APPEND`), or a negative offset. `EBADF`: not open, or not for this. `ESPIPE`: an offset of a pipe. `EFAULT`: an
/// offset is not accessible. `EPIPE`: no reader is left; the caller gets SIGPIPE, too. `EAGAIN`: it would block, and has
/// `SPLICE_F_NONBLOCK` or `O_NONBLOCK`. `EINTR`, `ENOMEM`. Those of read(2) and write(2).
pub(crate) fn splice(
    cx: &mut Context<'_>,
    from: SpliceEnd,
    to: SpliceEnd,
    len: usize,
    flags: u32,
) -> SysResult {
    if len == 0 {
        return Ok(0);
    }
    let mut flags = SpliceFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let files = cx.files();
    let (from_file, to_file) = (files.get(from.0)?, files.get(to.0)?);
    let (source, target) = (OpenPipe::of(&from_file), OpenPipe::of(&to_file));
    if (source.is_some() && from.1 != 0) || (target.is_some() && to.1 != 0) {
        return Err(Errno::ESPIPE);
    }
    let from_offset = UserPtr::<u64>::new(cx.space(), from.1);
    let to_offset = UserPtr::<u64>::new(cx.space(), to.1);
    let to_start = if to_offset.is_null() { None } else { Some(to_offset.read()?) };
    let from_start = if from_offset.is_null() { None } else { Some(from_offset.read()?) };
    from_file.require_read()?;
    to_file.require_write()?;
    let is_nonblocking = |file: &OpenFile| file.is_nonblocking();
    match (source, target) {
        (Some(source), Some(target)) => {
            check_different(source, target)?;
            flags.set(
                SpliceFlags::NONBLOCK,
                flags.contains(SpliceFlags::NONBLOCK)
                    || is_nonblocking(&from_file)
                    || is_nonblocking(&to_file),
            );
            between::pipes(cx, source, target, len, flags)
        }
        (Some(source), None) => {
            let mut position = start(&to_file, to_start)?;
            if to_file.status().contains(OpenFlags::APPEND) || position > OFFSET_MAX {
                return Err(Errno::EINVAL);
            }
            flags.set(
                SpliceFlags::NONBLOCK,
                flags.contains(SpliceFlags::NONBLOCK) || from_file.is_nonblocking(),
            );
            let len = len.min(MAX_RW_COUNT);
            let moved = drain::to_file(cx, source, &to_file, &mut position, len, flags)?;
            finish(&to_file, &to_offset, position)?;
            Ok(moved)
        }
        (None, Some(target)) => {
            let mut position = start(&from_file, from_start)?;
            flags.set(
                SpliceFlags::NONBLOCK,
                flags.contains(SpliceFlags::NONBLOCK) || to_file.is_nonblocking(),
            );
            let len = len.min(MAX_RW_COUNT);
            let moved = fill::from_file(cx, &from_file, &mut position, target, len, flags)?;
            finish(&from_file, &from_offset, position)?;
            Ok(moved)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// Returns where to begin in a file that is no pipe.
///
/// # Errors
/// `EINVAL`: an offset for a file that has none.
fn start(file: &OpenFile, given: Option<u64>) -> Result<u64, Errno> {
    match given {
        Some(_) if !file.is_seekable() => Err(Errno::EINVAL),
        Some(given) => Ok(given),
        None if file.is_seekable() => Ok(*file.offset()),
        None => Ok(0),
    }
}

/// Moves the offset to where the transfer ended.
///
/// # Errors
/// `EFAULT`: the bytes are moved nevertheless, as on Linux.
fn finish(file: &Arc<OpenFile>, pointer: &UserPtr<'_, u64>, position: u64) -> Result<(), Errno> {
    if !pointer.is_null() {
        return pointer.write(&position);
    }
    if file.is_seekable() {
        *file.offset() = position;
    }
    Ok(())
}

/// Checks that two ends are of two pipes.
///
/// # Errors
/// `EINVAL`: of one.
fn check_different(source: OpenPipe<'_>, target: OpenPipe<'_>) -> Result<(), Errno> {
    if Arc::ptr_eq(&source.end.pipe, &target.end.pipe) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// tee(2): copies at most `len` bytes from one pipe to another, and leaves them where they are. Returns how many.
///
/// # Errors
/// Nothing was copied. As [`splice`]; `EINVAL`: one of them is no pipe, or both are the same.
pub(crate) fn tee(cx: &mut Context<'_>, from: Fd, to: Fd, len: usize, flags: u32) -> SysResult {
    let mut flags = SpliceFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if len == 0 {
        return Ok(0);
    }
    let files = cx.files();
    let (from_file, to_file) = (files.get(from)?, files.get(to)?);
    from_file.require_read()?;
    to_file.require_write()?;
    let (Some(source), Some(target)) = (OpenPipe::of(&from_file), OpenPipe::of(&to_file)) else {
        return Err(Errno::EINVAL);
    };
    check_different(source, target)?;
    if from_file.is_nonblocking() || to_file.is_nonblocking() {
        flags |= SpliceFlags::NONBLOCK;
    }
    between::tee(cx, source, target, len, flags)
}

/// vmsplice(2): moves bytes from the `count` buffers that the `struct iovec` at `iov` describe into a pipe, as many as
/// there is room for, or from a pipe into them. Returns how many. The bytes are copied, so the program may use its
/// memory at once.
///
/// # Errors
/// Nothing was moved. `EINVAL`: unknown flags; those of writev(2). `EBADF`: not open, or no pipe. `EPIPE`: no reader is
/// left; the caller gets SIGPIPE, too. `EAGAIN`: it would block, and has `SPLICE_F_NONBLOCK`. `EFAULT`, `EINTR`, `ENOMEM`.
pub(crate) fn vmsplice(cx: &mut Context<'_>, fd: Fd, iov: usize, count: usize, flags: u32) -> SysResult {
    let flags = SpliceFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let file = cx.files().get(fd)?;
    if file.access().writes() {
        return fill::from_memory(cx, (iov, count), &file, flags);
    }
    file.require_read()?;
    let mut to = UserSink::vector(cx.space(), iov, count)?;
    if to.remaining() == 0 {
        return Ok(0);
    }
    let pipe = OpenPipe::of(&file).ok_or(Errno::EBADF)?;
    // This read waits for no more than the first bytes.
    let call = Blocking::new(cx, &file, Events::READABLE).timeout(ends::patience(flags));
    call.run(|| pipe.end.read_at(0, &mut to))
}
