//! The commands of fcntl(2) and their arguments.
//!
//! Source: fcntl(2); Linux 6.1 include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h.

use super::errno::Errno;

/// `FD_CLOEXEC`: the one file descriptor flag.
pub const FD_CLOEXEC: usize = 1;

/// Who owns a record lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockOwner {
    /// The process, until it closes any descriptor of the file.
    Process,
    /// The open file description.
    Description,
}

/// What fcntl(2) is asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// `F_DUPFD`.
    Duplicate,
    /// `F_DUPFD_CLOEXEC`.
    DuplicateCloseOnExec,
    /// `F_GETFD`.
    GetDescriptorFlags,
    /// `F_SETFD`.
    SetDescriptorFlags,
    /// `F_GETFL`.
    GetStatus,
    /// `F_SETFL`.
    SetStatus,
    /// `F_GETLK` and `F_OFD_GETLK`.
    GetLock(LockOwner),
    /// `F_SETLK` and `F_OFD_SETLK`.
    SetLock(LockOwner),
    /// `F_SETLKW` and `F_OFD_SETLKW`.
    SetLockWait(LockOwner),
    /// `F_SETOWN`.
    SetOwner,
    /// `F_GETOWN`.
    GetOwner,
    /// `F_SETSIG`.
    SetSignal,
    /// `F_GETSIG`.
    GetSignal,
    /// `F_SETOWN_EX`.
    SetOwnerEx,
    /// `F_GETOWN_EX`.
    GetOwnerEx,
    /// `F_GETOWNER_UIDS`.
    GetOwnerUsers,
    /// `F_GETLEASE`.
    GetLease,
    /// `F_SETPIPE_SZ`.
    SetPipeSize,
    /// `F_GETPIPE_SZ`.
    GetPipeSize,
    /// `F_ADD_SEALS`.
    AddSeals,
    /// `F_GET_SEALS`.
    GetSeals,
}

impl Command {
    /// Returns the meaning of `raw`.
    ///
    /// # Errors
    /// `EINVAL`: unknown, or about leases, which no file here has.
    pub const fn parse(raw: u32) -> Result<Self, Errno> {
        Ok(match raw {
            0 => Self::Duplicate,
            1 => Self::GetDescriptorFlags,
            2 => Self::SetDescriptorFlags,
            3 => Self::GetStatus,
            4 => Self::SetStatus,
            5 => Self::GetLock(LockOwner::Process),
            6 => Self::SetLock(LockOwner::Process),
            7 => Self::SetLockWait(LockOwner::Process),
            8 => Self::SetOwner,
            9 => Self::GetOwner,
            10 => Self::SetSignal,
            11 => Self::GetSignal,
            15 => Self::SetOwnerEx,
            16 => Self::GetOwnerEx,
            17 => Self::GetOwnerUsers,
            36 => Self::GetLock(LockOwner::Description),
            37 => Self::SetLock(LockOwner::Description),
            38 => Self::SetLockWait(LockOwner::Description),
            1025 => Self::GetLease,
            1030 => Self::DuplicateCloseOnExec,
            1031 => Self::SetPipeSize,
            1032 => Self::GetPipeSize,
            1033 => Self::AddSeals,
            1034 => Self::GetSeals,
            _ => return Err(Errno::EINVAL),
        })
    }

    /// Returns whether the command is about the descriptor and not the file, and so works with `O_PATH`.
    #[must_use]
    pub const fn works_on_paths(self) -> bool {
        matches!(
            self,
            Self::Duplicate
                | Self::DuplicateCloseOnExec
                | Self::GetDescriptorFlags
                | Self::SetDescriptorFlags
                | Self::GetStatus
        )
    }
}

/// `F_UNLCK`.
pub const F_UNLCK: usize = 2;
