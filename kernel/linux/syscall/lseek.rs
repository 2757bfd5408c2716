//! lseek(2).

use rules::core::fd::Fd;
use rules::core::seek::Whence;

use super::context::{Caller, Context, SysResult};

/// Moves the offset of `fd` and returns the new one.
///
/// # Errors
/// The offset was not moved. `EBADF`: not open. `EINVAL`: unknown `whence`, or a negative offset. `ESPIPE`: the file
/// has no offset. `ENXIO`: no data or no hole from there on.
pub(crate) fn lseek(cx: &mut Context<'_>, fd: Fd, offset: i64, whence: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let offset = file.seek(offset, Whence::parse(whence)?)?;
    // Cannot fail: an offset is at most `OFFSET_MAX`.
    Ok(usize::try_from(offset).unwrap_or(usize::MAX))
}
