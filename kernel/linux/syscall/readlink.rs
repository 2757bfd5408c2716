//! readlink(2), readlinkat(2).
//!
//! Source: Linux 6.1 fs/stat.c (`do_readlinkat`).

use rules::abi::errno::Errno;
use rules::linux::abi::at::AT_FDCWD;

use super::at::{EmptyPath, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::namei;
use crate::linux::fs::path::LastLink;
use crate::machine::memory::user::UserSlice;

/// readlink(2).
pub(crate) fn readlink(cx: &mut Context<'_>, path: usize, to: usize, size: i32) -> SysResult {
    readlinkat(cx, AT_FDCWD, path, to, size)
}

/// readlinkat(2). An empty path stands for the link that the descriptor was opened on.
pub(crate) fn readlinkat(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    to: usize,
    size: i32,
) -> SysResult {
    let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or(Errno::EINVAL)?;
    let is_empty = cx.path(path)?.is_empty();
    let empty_path =
        if is_empty && directory != AT_FDCWD { EmptyPath::Descriptor } else { EmptyPath::Missing };
    let location = cx.locate(directory, path, Lookup { last_link: LastLink::Keep, empty_path })?;
    let target = namei::read_link(&location)
        .map_err(|error| if is_empty && error == Errno::EINVAL { Errno::ENOENT } else { error })?;
    let length = target.len().min(size);
    UserSlice::new(cx.space(), to, length)?.write_bytes(&target[..length])?;
    location.inode.with_attributes(|attributes| attributes.mark_accessed());
    Ok(length)
}
