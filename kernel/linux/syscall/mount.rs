//! mount(2), umount2(2).
//!
//! Supported: tmpfs, devtmpfs, proc, sysfs (empty), bind mounts, and without effect remounts and changes of
//! propagation, which init programs request.
//! Source: Linux 6.1 fs/namespace.c (`path_mount`, `path_umount`), mm/shmem.c (`shmem_parse_options`).

use rules::abi::errno::Errno;
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::capability::Capability;
use rules::linux::path::PATH_MAX;

use super::at::Lookup;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::{self, Busy, Location};
use crate::linux::fs::path::{self, LastLink};
use crate::linux::fs::tree;
use crate::linux::proc;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::user;

const MS_REMOUNT: u64 = 0x20;
const MS_BIND: u64 = 0x1000;
const MS_MOVE: u64 = 0x2000;
/// MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED.
const MS_PROPAGATION: u64 = 0x1e_0000;

/// mount(2).
pub(crate) fn mount(
    cx: &mut Context<'_>,
    source: usize,
    target: usize,
    file_system: usize,
    flags: u64,
    options: usize,
) -> SysResult {
    let file_system = optional(cx, file_system, PAGE_SIZE)?;
    let source = optional(cx, source, PATH_MAX)?;
    let options = optional(cx, options, PAGE_SIZE)?;
    let target = cx.locate(AT_FDCWD, target, Lookup::FOLLOW)?;
    if !cx.credentials().can(Capability::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    if flags & MS_REMOUNT != 0 || flags & MS_PROPAGATION != 0 {
        if !target.is_mount_root() {
            return Err(Errno::EINVAL);
        }
        if flags & MS_REMOUNT != 0 {
            mount::CHANGES.tell();
        }
        return Ok(0);
    }
    if flags & MS_BIND != 0 {
        return bind(cx, source.as_deref(), &target);
    }
    if flags & MS_MOVE != 0 {
        return Err(Errno::EINVAL);
    }
    let file_system = file_system.ok_or(Errno::EINVAL)?;
    let root = match &file_system[..] {
        b"proc" => proc::mounted()?,
        name => tree::of_type(name, options.as_deref().unwrap_or_default())?,
    };
    mount::mount(&target, root, source.as_deref().unwrap_or(b"none"))?;
    Ok(0)
}

fn bind(cx: &mut Context<'_>, source: Option<&[u8]>, target: &Location) -> SysResult {
    let origin = cx.origin();
    let shown = path::lookup(&origin, source.ok_or(Errno::EINVAL)?, LastLink::Follow)?;
    shown.inode.directory()?;
    mount::bind(target, &shown)?;
    Ok(0)
}

/// umount2(2), and umount(2) without flags.
pub(crate) fn umount2(cx: &mut Context<'_>, target: usize, flags: u32) -> SysResult {
    const MNT_FORCE: u32 = 1;
    const MNT_DETACH: u32 = 2;
    const UMOUNT_NOFOLLOW: u32 = 8;
    if flags & !(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let lookup = if flags & UMOUNT_NOFOLLOW != 0 { Lookup::KEEP } else { Lookup::FOLLOW };
    let target = cx.locate(AT_FDCWD, target, lookup)?;
    if !cx.credentials().can(Capability::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    mount::unmount(target, if flags & MNT_DETACH != 0 { Busy::Detach } else { Busy::Refuse })?;
    Ok(0)
}

/// Reads a string argument that may be null.
fn optional(
    cx: &mut Context<'_>,
    address: usize,
    limit: usize,
) -> Result<Option<alloc::vec::Vec<u8>>, Errno> {
    if address == 0 { Ok(None) } else { user::read_string(cx.space(), address, limit).map(Some) }
}
