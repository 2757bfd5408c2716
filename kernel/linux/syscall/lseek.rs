//! lseek(2).

use rules::core::fd::Fd;
use rules::core::seek::Whence;

use super::context::{Caller, Context, SysResult};

/// Moves the offset of `fd` and returns where it is then.
///
/// # Errors
/// The offset stays. `EBADF`: not open. `EINVAL`: an unknown `whence`, or the offset would be negative. `ESPIPE`: the
/// file has no offsets. `ENXIO`: no data, or no hole, from there on.
pub(crate) fn lseek(cx: &mut Context<'_>, fd: Fd, offset: i64, whence: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let offset = file.seek(offset, Whence::parse(whence)?)?;
    // An offset is at most `OFFSET_MAX`.
    Ok(usize::try_from(offset).unwrap_or(usize::MAX))
}
