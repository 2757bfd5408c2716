//! fcntl(2): record locks, seals, leases and owners.
//!
//! Not here: descriptors, status flags and pipe sizes (`core/syscall/fcntl`); what record locks do (`record_lock`).
//! Source: Linux 6.1 fs/fcntl.c (`do_fcntl`), mm/memfd.c (`memfd_fcntl`).

use rules::abi::errno::Errno;
use rules::abi::fcntl::{Command, F_UNLCK};
use rules::abi::open::OpenFlags;
use rules::core::fd::Fd;
use rules::linux::seals::Seals;

use super::context::{Context, SysResult};
use super::record_lock::{self, Wait};
use super::sigio;
use crate::core::file::description::OpenFile;
use crate::core::syscall::fcntl;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::tmpfs::regular::Regular;

/// Performs `command` on `fd`.
///
/// # Errors
/// Nothing changed. Those of [`fcntl::look_up`] and [`fcntl::fcntl`]. `EINVAL`: seals that do not exist, or of another
/// file than a memfd. `EPERM`: seals of a file that was not opened for writing, or that is sealed against more of them.
/// Those of [`record_lock::set`] and of `sigio`.
pub(crate) fn fcntl(cx: &mut Context<'_>, fd: Fd, command: u32, argument: usize) -> SysResult {
    let (file, command) = fcntl::look_up(cx, fd, command)?;
    match command {
        Command::GetLease => Ok(F_UNLCK),
        Command::GetLock(owner) => record_lock::get(cx, &file, owner, argument),
        Command::SetLock(owner) => record_lock::set(cx, &file, owner, argument, Wait::No),
        Command::SetLockWait(owner) => record_lock::set(cx, &file, owner, argument, Wait::Yes),
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
        Command::SetOwner => sigio::set_owner(cx, &file, argument as u32 as i32),
        Command::GetOwner => Ok(sigio::owner(&file)),
        Command::SetOwnerEx => sigio::set_owner_ex(cx, &file, argument),
        Command::GetOwnerEx => sigio::owner_ex(cx, &file, argument),
        Command::GetOwnerUsers => sigio::owner_users(cx, &file, argument),
        Command::SetSignal => sigio::set_signal(&file, argument),
        Command::GetSignal => Ok(sigio::signal(&file)),
        Command::SetStatus => {
            let result = fcntl::fcntl(cx, (fd, &file), command, argument)?;
            sigio::follow_status(cx, fd, &file, OpenFlags::from_bits_truncate(argument as u32))?;
            Ok(result)
        }
        command => fcntl::fcntl(cx, (fd, &file), command, argument),
    }
}

/// Returns the regular file, which may have seals.
///
/// # Errors
/// `EINVAL`: a file of another kind.
fn regular(file: &OpenFile) -> Result<&Regular, Errno> {
    file.downcast::<Inode>().and_then(|inode| inode.regular().ok()).ok_or(Errno::EINVAL)
}
