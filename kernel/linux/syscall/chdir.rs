//! chdir(2), fchdir(2), getcwd(2), umask(2).
//!
//! Source: Linux 6.1 fs/open.c, fs/d_path.c (`getcwd`), kernel/sys.c (`umask`).

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::core::fd::Fd;
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::access::Access;

use super::at::{self, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::path;
use crate::machine::memory::user::UserSlice;

/// chdir(2).
pub(crate) fn chdir(cx: &mut Context<'_>, path: usize) -> SysResult {
    let location = cx.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    change_directory(cx, location)
}

/// fchdir(2).
pub(crate) fn fchdir(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    let file = cx.files().get_any(fd)?;
    change_directory(cx, at::place(&file).cloned().ok_or(Errno::ENOTDIR)?)
}

/// getcwd(2). Returns the length including the zero byte.
pub(crate) fn getcwd(cx: &mut Context<'_>, to: usize, size: usize) -> SysResult {
    let mut path = path::absolute(&cx.origin().start)?;
    path.push(0);
    if path.len() > size {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(cx.space(), to, path.len())?.write_bytes(&path)?;
    Ok(path.len())
}

/// umask(2).
pub(crate) fn umask(cx: &mut Context<'_>, mask: u32) -> SysResult {
    let umask = Permissions::from_mode(mask & 0o777);
    let former = core::mem::replace(&mut cx.process().paths.lock().umask, umask);
    Ok(former.to_mode() as usize)
}

fn change_directory(cx: &mut Context<'_>, to: Location) -> SysResult {
    to.inode.directory()?;
    to.inode.check(&cx.credentials(), Access::EXECUTE)?;
    let former = core::mem::replace(&mut cx.process().paths.lock().cwd, to);
    // This may be the last reference to a removed directory, so it is dropped without the lock.
    drop(former);
    Ok(0)
}
