//! fcntl(2).
//!
//! Source: Linux 6.1 fs/fcntl.c (`do_fcntl`, `setfl`), fs/pipe.c (`pipe_fcntl`), mm/memfd.c (`memfd_fcntl`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::fcntl::{Command, F_UNLCK, FD_CLOEXEC};
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::core::pipe::Privilege;
use rules::linux::capability::Capability;
use rules::linux::seals::Seals;

use super::context::{Caller, Context, SysResult};
use super::record_lock::{self, Wait};
use crate::core::file::description::OpenFile;
use crate::core::object::pipe::PipeEnd;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::tmpfs::regular::Regular;

/// Performs `command` on `fd`.
///
/// # Errors
/// `EBADF`: not open, opened with `O_PATH`, or not a pipe for a command about pipes. `EINVAL`: unknown command or
/// invalid argument. Those of the commands.
pub(crate) fn fcntl(cx: &mut Context<'_>, fd: Fd, command: u32, argument: usize) -> SysResult {
    let files = cx.files();
    let file = files.get_any(fd)?;
    let command = Command::parse(command);
    if file.is_path() && !command.is_ok_and(Command::works_on_paths) {
        return Err(Errno::EBADF);
    }
    match command? {
        Command::Duplicate => duplicate(cx, &file, argument, OnExec::Keep),
        Command::DuplicateCloseOnExec => duplicate(cx, &file, argument, OnExec::Close),
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
        Command::GetLease => Ok(F_UNLCK),
        Command::GetLock(owner) => record_lock::get(cx, &file, owner, argument),
        Command::SetLock(owner) => record_lock::set(cx, &file, owner, argument, Wait::No),
        Command::SetLockWait(owner) => record_lock::set(cx, &file, owner, argument, Wait::Yes),
        Command::GetPipeSize => pipe(&file).map(PipeEnd::capacity),
        Command::GetSeals => {
            regular(&file)?.with_seals(|sealing| Ok(sealing.seals())).map(|seals| seals.bits() as usize)
        }
        Command::AddSeals => {
            let wanted = u32::try_from(argument).map_err(|_| Errno::EINVAL)?;
            if !file.access().writes() {
                return Err(Errno::EPERM);
            }
            let seals = Seals::from_bits(wanted).ok_or(Errno::EINVAL)?;
            regular(&file)?.with_seals(|sealing| sealing.add(seals)).map(|()| 0)
        }
        Command::SetPipeSize => pipe(&file)?.set_capacity(argument, privilege(cx)),
    }
}

/// Duplicates the file to the lowest free descriptor that is at least `from`.
fn duplicate(cx: &Context<'_>, file: &Arc<OpenFile>, from: usize, on_exec: OnExec) -> SysResult {
    let limit = cx.file_limit();
    let from = u32::try_from(from).ok().filter(|from| *from < limit).ok_or(Errno::EINVAL)?;
    let files = cx.files();
    Ok(files.reserve(Fd::new(from), limit)?.commit(file.clone(), on_exec).index())
}

/// Returns the pipe or FIFO.
fn pipe(file: &OpenFile) -> Result<&PipeEnd, Errno> {
    file.downcast().ok_or(Errno::EBADF)
}

/// Returns the regular file, which may have seals.
///
/// # Errors
/// `EINVAL`: a file of another kind.
fn regular(file: &OpenFile) -> Result<&Regular, Errno> {
    file.downcast::<Inode>().and_then(|inode| inode.regular().ok()).ok_or(Errno::EINVAL)
}

fn privilege(cx: &Context<'_>) -> Privilege {
    let may = cx.credentials().can(Capability::SYS_RESOURCE);
    if may { Privilege::SysResource } else { Privilege::None }
}
