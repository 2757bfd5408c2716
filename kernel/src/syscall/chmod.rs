//! chmod(2), fchmod(2), fchmodat(2).
//!
//! Source: Linux 6.1 fs/open.c (`chmod_common`), fs/attr.c (`setattr_prepare`).

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;
use model::abi::mode::Permissions;

use super::at::{self, Caller, Lookup};
use crate::fs::mount::Location;

type SysResult = Result<usize, Errno>;

/// chmod(2).
pub(crate) fn chmod(caller: &Caller<'_>, path: usize, mode: u32) -> SysResult {
    fchmodat(caller, AT_FDCWD, path, mode)
}

/// fchmodat(2), whose syscall has no flags.
pub(crate) fn fchmodat(caller: &Caller<'_>, directory: i32, path: usize, mode: u32) -> SysResult {
    change_mode(caller, &caller.locate(directory, path, Lookup::FOLLOW)?, mode)
}

/// fchmod(2).
pub(crate) fn fchmod(caller: &Caller<'_>, fd: u32, mode: u32) -> SysResult {
    let file = caller.file(fd)?;
    change_mode(caller, &at::place(&file).ok_or(Errno::EINVAL)?, mode)
}

fn change_mode(caller: &Caller<'_>, location: &Location, mode: u32) -> SysResult {
    let inode = &location.inode;
    let ownership = inode.ownership();
    ownership.check_owner(caller.credentials)?;
    let mut permissions = Permissions::from_mode(mode);
    if !caller.credentials.is_privileged() && caller.credentials.gid != ownership.gid {
        permissions -= Permissions::SET_GID;
    }
    inode.with_attributes(|attributes| {
        attributes.permissions = permissions;
        attributes.mark_changed();
    });
    Ok(0)
}
