//! chown(2), lchown(2), fchown(2), fchownat(2).
//!
//! Source: Linux 6.1 fs/open.c (`chown_common`), fs/attr.c (`chown_ok`, `chgrp_ok`).

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::core::fd::Fd;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::capability::Capability;
use rules::linux::inotify::mask::Happened;

use super::at::{self, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::notify;

/// chown(2).
pub(crate) fn chown(cx: &mut Context<'_>, path: usize, uid: u32, gid: u32) -> SysResult {
    fchownat(cx, AT_FDCWD, path, uid, gid, 0)
}

/// lchown(2).
pub(crate) fn lchown(cx: &mut Context<'_>, path: usize, uid: u32, gid: u32) -> SysResult {
    fchownat(cx, AT_FDCWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW.bits())
}

/// fchownat(2).
pub(crate) fn fchownat(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    uid: u32,
    gid: u32,
    flags: u32,
) -> SysResult {
    let flags = at::flags(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    change_owner(cx, &cx.locate(directory, path, Lookup::with(flags))?, uid, gid)
}

/// fchown(2).
pub(crate) fn fchown(cx: &mut Context<'_>, fd: Fd, uid: u32, gid: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let place = cx.place_of(&file)?.clone();
    change_owner(cx, &place, uid, gid)
}

fn change_owner(cx: &mut Context<'_>, location: &Location, uid: u32, gid: u32) -> SysResult {
    /// -1: do not change.
    const KEEP: u32 = u32::MAX;
    let inode = &location.inode;
    let ownership = inode.ownership();
    let who = cx.credentials();
    let keeps_uid = uid == KEEP || uid == ownership.uid;
    let own_gid = gid == KEEP || gid == ownership.gid || who.is_in(gid);
    let is_owner = who.uid() == ownership.uid;
    let allowed =
        who.can(Capability::CHOWN) || keeps_uid && own_gid && (is_owner || uid == KEEP && gid == KEEP);
    if !allowed {
        return Err(Errno::EPERM);
    }
    inode.with_attributes(|attributes| {
        if uid != KEEP {
            attributes.uid = uid;
        }
        if gid != KEEP {
            attributes.gid = gid;
        }
        if inode.file_type() != FileType::Directory {
            // A set-user-ID program must not silently become one of its new owner.
            attributes.permissions -= Permissions::SET_UID;
            if attributes.permissions.contains(Permissions::GROUP_EXECUTE) {
                attributes.permissions -= Permissions::SET_GID;
            }
        }
        attributes.mark_changed();
    });
    let has_lost_rights = inode.ownership().permissions != ownership.permissions;
    if uid != KEEP || gid != KEEP || has_lost_rights {
        notify::of_file(location, Happened::ATTRIB);
    }
    Ok(0)
}
