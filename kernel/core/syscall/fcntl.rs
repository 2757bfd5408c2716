//! fcntl(2): descriptors, file status flags, and the size of a pipe.
//!
//! Not here: record locks, seals, leases and owners (`linux/syscall/fcntl`), which hands all other commands to this file.
//! Source: Linux 6.1 fs/fcntl.c (`do_fcntl`, `setfl`), fs/pipe.c (`pipe_fcntl`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::fcntl::{Command, FD_CLOEXEC};
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::core::pipe::Privilege;

use super::caller::{Caller, Right, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::object::pipe::PipeEnd;

/// Looks up the description of `fd`, and parses `command`.
///
/// # Errors
/// `EBADF`: not open, or an `O_PATH` descriptor with a command that needs the file. `EINVAL`: an unknown command.
pub(crate) fn look_up(cx: &impl Caller, fd: Fd, command: u32) -> Result<(Arc<OpenFile>, Command), Errno> {
    let file = cx.files().get_any(fd)?;
    let command = Command::parse(command);
    if file.is_path() && !command.is_ok_and(Command::works_on_paths) {
        return Err(Errno::EBADF);
    }
    Ok((file, command?))
}

/// Performs `command` on `fd`, which is `file`.
///
/// # Errors
/// Nothing changed. `EBADF`: `fd` was closed, or is no pipe. `EINVAL`: not one of these commands, a number that is not
/// below `RLIMIT_NOFILE`, a flag or a size that the file refuses. `EMFILE`: no number is free. `EPERM`: more than a
/// pipe may have without `CAP_SYS_RESOURCE`. `EBUSY`: less than is in the pipe. `ENOMEM`.
pub(crate) fn fcntl(
    cx: &impl Caller,
    (fd, file): (Fd, &Arc<OpenFile>),
    command: Command,
    argument: usize,
) -> SysResult {
    let files = cx.files();
    match command {
        Command::Duplicate => duplicate(cx, file, argument, OnExec::Keep),
        Command::DuplicateCloseOnExec => duplicate(cx, file, argument, OnExec::Close),
        Command::GetDescriptorFlags => files.on_exec(fd).map(|on_exec| match on_exec {
            OnExec::Keep => 0,
            OnExec::Close => FD_CLOEXEC,
        }),
        Command::SetDescriptorFlags => {
            let on_exec = if argument & FD_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep };
            files.set_on_exec(fd, on_exec).map(|()| 0)
        }
        Command::GetStatus => Ok((file.access().to_flags() | file.status().bits()) as usize),
        Command::SetStatus => file.set_status(OpenFlags::from_bits_truncate(argument as u32)).map(|()| 0),
        Command::GetPipeSize => pipe(file).map(PipeEnd::capacity),
        Command::SetPipeSize => {
            let may = cx.may(Right::ExceedLimits);
            pipe(file)?.set_capacity(argument, if may { Privilege::SysResource } else { Privilege::None })
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Opens `file` at the lowest free number from `from` on.
fn duplicate(cx: &impl Caller, file: &Arc<OpenFile>, from: usize, on_exec: OnExec) -> SysResult {
    let limit = cx.file_limit();
    let from = u32::try_from(from).ok().filter(|from| *from < limit).ok_or(Errno::EINVAL)?;
    Ok(cx.files().reserve(Fd::new(from), limit)?.commit(file.clone(), on_exec).index())
}

/// Returns the file as a pipe or a FIFO.
fn pipe(file: &OpenFile) -> Result<&PipeEnd, Errno> {
    file.downcast().ok_or(Errno::EBADF)
}
