//! xattr(7): getxattr(2), setxattr(2), listxattr(2), removexattr(2).
//!
//! No file has extended attributes, as on a Linux whose tmpfs was built without them: a list is empty, and access by
//! name is not supported.
//! Source: Linux 6.1 fs/xattr.c.

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::abi::at::AT_FDCWD;

use super::at::Lookup;
use super::context::{Caller, Context, SysResult};
use crate::machine::memory::user;

/// `XATTR_NAME_MAX`, with the zero byte.
const NAME_MAX: usize = 256;

/// The file whose attributes a call accesses.
pub(crate) enum XattrTarget {
    /// The file that the path at this address leads to.
    Path(usize),
    /// The same, but a symbolic link at the end is not followed.
    Link(usize),
    /// An open file.
    Open(Fd),
}

/// getxattr(2), setxattr(2), removexattr(2) and related calls: accesses the attribute `name` of the file `which`.
///
/// # Errors
/// `EOPNOTSUPP`: always, if the arguments are valid. `ERANGE`: the name is empty or longer than 255 bytes. `EFAULT`:
/// the name is not readable. `EBADF`, and those of a path lookup.
pub(crate) fn named(cx: &mut Context<'_>, which: &XattrTarget, name: usize) -> SysResult {
    find(cx, which)?;
    check_name(cx, name)?;
    Err(Errno::EOPNOTSUPP)
}

/// setxattr(2): checks the flags and the size of the value, then does as [`named`].
///
/// # Errors
/// As [`named`]. `EINVAL`: an unknown flag. `E2BIG`: more than 64 KiB.
pub(crate) fn set(
    cx: &mut Context<'_>,
    which: &XattrTarget,
    name: usize,
    size: usize,
    flags: u32,
) -> SysResult {
    /// `XATTR_CREATE` and `XATTR_REPLACE`.
    const KNOWN: u32 = 3;
    const SIZE_MAX: usize = 1 << 16;
    find(cx, which)?;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    check_name(cx, name)?;
    if size > SIZE_MAX { Err(Errno::E2BIG) } else { Err(Errno::EOPNOTSUPP) }
}

/// listxattr(2) and related calls: returns an empty list.
///
/// # Errors
/// `EBADF`, and those of a path lookup.
pub(crate) fn list(cx: &mut Context<'_>, which: &XattrTarget) -> SysResult {
    find(cx, which).map(|()| 0)
}

fn find(cx: &mut Context<'_>, which: &XattrTarget) -> Result<(), Errno> {
    match *which {
        XattrTarget::Path(path) => cx.locate(AT_FDCWD, path, Lookup::FOLLOW).map(drop),
        XattrTarget::Link(path) => cx.locate(AT_FDCWD, path, Lookup::KEEP).map(drop),
        XattrTarget::Open(fd) => cx.files().get(fd).map(drop),
    }
}

fn check_name(cx: &Context<'_>, name: usize) -> Result<(), Errno> {
    match user::read_string(cx.space(), name, NAME_MAX) {
        Ok(name) if name.is_empty() => Err(Errno::ERANGE),
        Err(Errno::ENAMETOOLONG) => Err(Errno::ERANGE),
        result => result.map(drop),
    }
}
