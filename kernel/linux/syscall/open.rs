//! open(2), openat(2), openat2(2), creat(2).
//!
//! Owns: flags and their errors. The descriptor is reserved before the path lookup, as on Linux.
//! Not here: opening a file (`fs/open`).
//! Missing: the `RESOLVE_` flags of openat2(2), except RESOLVE_NO_MAGICLINKS.
//! Source: Linux 6.1 fs/open.c (`do_sys_openat2`, `build_open_flags`).

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::abi::at::AT_FDCWD;
use rules::machine::fallible;

use super::context::{Caller, Context, SysResult};
use crate::core::syscall::blocking;
use crate::linux::fs::open::{self, OpenHow};
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// open(2).
pub(crate) fn open(cx: &mut Context<'_>, path: usize, flags: u32, mode: u32) -> SysResult {
    openat(cx, AT_FDCWD, path, flags, mode)
}

/// creat(2).
pub(crate) fn creat(cx: &mut Context<'_>, path: usize, mode: u32) -> SysResult {
    const O_WRONLY: u32 = 1;
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    openat(cx, AT_FDCWD, path, flags.bits() | O_WRONLY, mode)
}

/// openat(2).
pub(crate) fn openat(cx: &mut Context<'_>, directory: i32, path: usize, flags: u32, mode: u32) -> SysResult {
    // Linux adds this flag for programs of 64 bits, and F_GETFL shows it; openat2(2) does not.
    let flags = flags | OpenFlags::LARGE_FILE.bits();
    open_with(cx, directory, path, OpenHow::parse(flags, mode)?)
}

/// openat2(2).
pub(crate) fn openat2(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    how: usize,
    size: usize,
) -> SysResult {
    const O_ACCMODE: u64 = 3;
    const RESOLVE_NO_MAGICLINKS: u64 = 2;
    let [flags, mode, resolve] = read_open_how(cx, how, size)?;
    let known = u64::from(OpenFlags::all().bits()) | O_ACCMODE;
    if flags & !known != 0 || resolve & !RESOLVE_NO_MAGICLINKS != 0 || mode & !0o7777 != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = flags as u32;
    let makes = OpenFlags::from_flags(flags).intersects(OpenFlags::CREATE | OpenFlags::TEMPORARY);
    if mode != 0 && !makes {
        return Err(Errno::EINVAL);
    }
    let parsed = OpenHow::parse(flags, mode as u32)?;
    if parsed.flags.bits() != flags & OpenFlags::all().bits() {
        // open(2) drops the flags that mean nothing with O_PATH; openat2(2) rejects them.
        return Err(Errno::EINVAL);
    }
    open_with(cx, directory, path, parsed)
}

fn open_with(cx: &mut Context<'_>, directory: i32, path: usize, how: OpenHow) -> SysResult {
    let path = cx.path(path)?;
    let files = cx.files();
    let reserved = files.reserve(Fd::new(0), cx.file_limit())?;
    let origin = cx.origin_at(directory, &path)?;
    let opened = open::open(&origin, &path, how)?;
    if !how.flags.contains(OpenFlags::NONBLOCK) {
        blocking::wait_for_open(cx, &*opened.file, how.access)?;
    }
    let description = opened.describe(how.access, how.flags)?;
    Ok(reserved.commit(description, OnExec::from_flags(how.flags)).index())
}

/// Reads a `struct open_how` of any version; fields unknown to this one must be zero.
fn read_open_how(cx: &mut Context<'_>, address: usize, size: usize) -> Result<[u64; 3], Errno> {
    const KNOWN: usize = size_of::<[u64; 3]>();
    if size < KNOWN {
        return Err(Errno::EINVAL);
    }
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let mut rest = fallible::zeroes(size - KNOWN)?;
    UserSlice::new(cx.space(), address, size)?.part(KNOWN, size).read_bytes(&mut rest)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    UserPtr::new(cx.space(), address).read()
}
