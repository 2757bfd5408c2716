//! chdir(2), fchdir(2), getcwd(2), umask(2).
//!
//! Source: Linux 6.1 fs/open.c, fs/d_path.c (`getcwd`), kernel/sys.c (`umask`).

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;
use model::abi::mode::Permissions;

use super::at::{self, Caller, Lookup};
use crate::fs::path;
use crate::memory::user::UserSlice;

type SysResult = Result<usize, Errno>;

/// chdir(2).
pub(crate) fn chdir(caller: &Caller<'_>, path: usize) -> SysResult {
    let location = caller.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    caller.view.change_directory(location, caller.credentials)?;
    Ok(0)
}

/// fchdir(2).
pub(crate) fn fchdir(caller: &Caller<'_>, fd: u32) -> SysResult {
    let location = at::place(&*caller.any_file(fd)?).ok_or(Errno::ENOTDIR)?;
    caller.view.change_directory(location, caller.credentials)?;
    Ok(0)
}

/// getcwd(2). Returns the length with the zero byte.
pub(crate) fn getcwd(caller: &Caller<'_>, to: usize, size: usize) -> SysResult {
    let mut path = path::absolute(&caller.view.working_directory())?;
    path.push(0);
    if path.len() > size {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(caller.space, to, path.len())?.write_bytes(&path)?;
    Ok(path.len())
}

/// umask(2).
pub(crate) fn umask(caller: &Caller<'_>, mask: u32) -> SysResult {
    Ok(caller.view.set_umask(Permissions::from_mode(mask)).to_mode() as usize)
}
