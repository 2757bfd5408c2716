//! chmod(2), fchmod(2), fchmodat(2).
//!
//! Source: Linux 6.1 fs/open.c (`chmod_common`), fs/attr.c (`setattr_prepare`).

use rules::abi::mode::Permissions;
use rules::core::fd::Fd;
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::capability::Capability;
use rules::linux::inotify::mask::Happened;

use super::at::Lookup;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::notify;

/// chmod(2).
pub(crate) fn chmod(cx: &mut Context<'_>, path: usize, mode: u32) -> SysResult {
    fchmodat(cx, AT_FDCWD, path, mode)
}

/// fchmodat(2), whose system call has no flags.
pub(crate) fn fchmodat(cx: &mut Context<'_>, directory: i32, path: usize, mode: u32) -> SysResult {
    change_mode(cx, &cx.locate(directory, path, Lookup::FOLLOW)?, mode)
}

/// fchmod(2).
pub(crate) fn fchmod(cx: &mut Context<'_>, fd: Fd, mode: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let place = cx.place_of(&file)?.clone();
    change_mode(cx, &place, mode)
}

fn change_mode(cx: &mut Context<'_>, location: &Location, mode: u32) -> SysResult {
    let inode = &location.inode;
    let ownership = inode.ownership();
    ownership.check_owner(&cx.credentials())?;
    let mut permissions = Permissions::from_mode(mode);
    if !cx.credentials().can(Capability::FSETID) && !cx.credentials().is_in(ownership.gid) {
        permissions -= Permissions::SET_GID;
    }
    inode.with_attributes(|attributes| {
        attributes.permissions = permissions;
        attributes.mark_changed();
    });
    notify::of_file(location, Happened::ATTRIB);
    Ok(0)
}
