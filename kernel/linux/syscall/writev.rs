//! writev(2) to files that take each buffer as a write of its own, as those without `write_iter` do on Linux.
//!
//! Not here: all other files (`core/syscall/write`).
//! Source: Linux 6.1 fs/read_write.c (`do_loop_readv_writev`), fs/eventfd.c (`eventfd_write`).

use rules::core::fd::Fd;
use rules::machine::transfer::Source as _;

use super::context::{Caller, Context, SysResult};
use crate::core::event::class::Class;
use crate::core::syscall::write;
use crate::machine::memory::user::{UserPtr, UserSource};

/// As [`write::writev`].
///
/// # Errors
/// As [`write::writev`]; an eventfd's come after a short count if a buffer was written before.
pub(crate) fn writev(cx: &mut Context<'_>, fd: Fd, iov: usize, count: usize) -> SysResult {
    let is_each = cx.files().read().get(fd).is_some_and(|file| file.file().class() == Class::EventFd);
    if !is_each {
        return write::writev(cx, fd, iov, count);
    }
    // The buffers are checked before the first write.
    if UserSource::vector(cx.space(), iov, count)?.remaining() == 0 {
        return Ok(0);
    }
    let mut total = 0;
    for number in 0..count {
        let [addr, len] = UserPtr::<[usize; 2]>::new(cx.space(), iov).at(number).read()?;
        match write::write(cx, fd, addr, len) {
            Ok(written) if written == len => total += written,
            Ok(written) => return Ok(total + written),
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
