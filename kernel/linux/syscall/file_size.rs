//! `RLIMIT_FSIZE`: how large a process may make a regular file.
//!
//! Source: getrlimit(2); Linux 6.1 fs/read_write.c (`generic_write_check_limits`), mm/filemap.c.

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::OpenFlags;

use super::context::Context;
use crate::core::file::description::OpenFile;
use crate::core::syscall::buffers::Position;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::task::limits::Resource;
use crate::linux::task::signal::pending::Info;
use crate::linux::task::signal::send;
use rules::abi::signal::Signal;

/// Returns how many bytes the process may write there; `None` means without limit.
///
/// # Errors
/// `EFBIG`: not even one byte. The process gets `SIGXFSZ`.
pub(crate) fn room(
    cx: &Context<'_>,
    file: &OpenFile,
    position: Position,
    status: OpenFlags,
) -> Result<Option<usize>, Errno> {
    let Some(inode) = file.downcast::<Inode>() else { return Ok(None) };
    inode.drop_rights(&cx.credentials());
    let limit = cx.process().limits.soft(Resource::FileSize);
    if limit == u64::MAX || inode.file_type() != FileType::Regular {
        return Ok(None);
    }
    let start = match position {
        _ if status.contains(OpenFlags::APPEND) => inode.size(),
        Position::Current => *file.offset(),
        Position::At(offset) => offset,
    };
    if start >= limit {
        return Err(exceeded(cx));
    }
    Ok(Some(usize::try_from(limit - start).unwrap_or(usize::MAX)))
}

/// Checks whether the process may make a file `length` bytes long.
///
/// # Errors
/// `EFBIG`: it may not. The process gets `SIGXFSZ`.
pub(crate) fn check(cx: &Context<'_>, length: u64) -> Result<(), Errno> {
    if length > cx.process().limits.soft(Resource::FileSize) { Err(exceeded(cx)) } else { Ok(()) }
}

fn exceeded(cx: &Context<'_>) -> Errno {
    send::to_thread(cx.thread(), Info::kernel(Signal::XFSZ));
    Errno::EFBIG
}
