//! sync(2), fsync(2), fdatasync(2), syncfs(2): memory is where everything is safe here.
//!
//! Source: Linux 6.1 fs/sync.c.

use rules::core::fd::Fd;

use super::context::{Caller, Context, SysResult};

/// fsync(2) and fdatasync(2): memory is where everything is safe here.
pub(crate) fn fsync(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    cx.files().get(fd)?.file().sync()?;
    Ok(0)
}

/// syncfs(2).
pub(crate) fn syncfs(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    cx.files().get(fd)?;
    Ok(0)
}

/// sync(2).
pub(crate) fn sync() -> SysResult {
    Ok(0)
}
