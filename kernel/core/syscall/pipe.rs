//! pipe(2), pipe2(2).
//!
//! Not here: the pipe (`core/object/pipe`).

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, SysResult};
use crate::core::object::pipe;
use crate::machine::memory::user::UserPtr;

/// Makes a pipe and writes the descriptors of its read end and its write end to `fds`.
///
/// # Errors
/// As [`pipe2`].
pub(crate) fn pipe(cx: &mut impl Caller, fds: usize) -> SysResult {
    pipe2(cx, fds, 0)
}

/// Performs [`pipe()`] with `O_CLOEXEC`, `O_NONBLOCK` and `O_DIRECT` in `flags`, or without.
///
/// # Errors
/// No pipe was made, and no descriptor was opened. `EINVAL`: another flag. `EMFILE`: no two numbers are free.
/// `EFAULT`: `fds` is not writable. `ENOMEM`.
pub(crate) fn pipe2(cx: &mut impl Caller, fds: usize, flags: u32) -> SysResult {
    const KNOWN: OpenFlags = OpenFlags::CLOSE_ON_EXEC.union(OpenFlags::NONBLOCK).union(OpenFlags::DIRECT);
    let flags = OpenFlags::from_bits(flags).filter(|flags| KNOWN.contains(*flags)).ok_or(Errno::EINVAL)?;
    let ends = pipe::create(flags)?;
    let files = cx.files();
    let reader = files.reserve(Fd::new(0), cx.file_limit())?;
    let writer = files.reserve(Fd::new(0), cx.file_limit())?;
    let numbers = [reader.fd().number(), writer.fd().number()];
    UserPtr::<[u32; 2]>::new(cx.space(), fds).write(&numbers)?;
    reader.commit(ends.reader, OnExec::from_flags(flags));
    writer.commit(ends.writer, OnExec::from_flags(flags));
    Ok(0)
}
