//! Who may do what with a file: the permission bits against a user and a group.
//!
//! Not here: capabilities and access control lists. User 0 is the one privileged user.
//! Source: path_resolution(7) "Permissions"; Linux 6.1 fs/namei.c (`acl_permission_check`, `generic_permission`).

use bitflags::bitflags;

use crate::abi::errno::Errno;
use crate::abi::mode::{FileType, Permissions};

/// On whose behalf a file is looked up, opened or changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Credentials {
    /// The privileged user.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };

    /// Whether permission bits and ownership do not bind.
    #[must_use]
    pub const fn is_privileged(self) -> bool {
        self.uid == 0
    }
}

bitflags! {
    /// What is asked for; the bits are those of access(2) and of each group of permission bits.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Access: u16 {
        /// Read; list a directory.
        const READ = 4;
        /// Write; change a directory's names.
        const WRITE = 2;
        /// Execute; search a directory.
        const EXECUTE = 1;
    }
}

/// Whom a file belongs to and what its bits allow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ownership {
    /// The file's kind.
    pub file_type: FileType,
    /// The permission bits.
    pub permissions: Permissions,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Ownership {
    /// Whether `credentials` have all of `wanted`.
    ///
    /// # Errors
    /// `EACCES`: the class of bits that applies (owner, group or others, the first that matches) lacks one. The
    /// privileged user lacks only the right to execute a file that nobody may execute.
    pub fn check(&self, credentials: Credentials, wanted: Access) -> Result<(), Errno> {
        let bits = self.permissions.bits();
        let granted = if credentials.is_privileged() {
            let executable = self.file_type == FileType::Directory || bits & 0o111 != 0;
            if executable { Access::all() } else { Access::READ | Access::WRITE }
        } else if credentials.uid == self.uid {
            Access::from_bits_truncate(bits >> 6)
        } else if credentials.gid == self.gid {
            Access::from_bits_truncate(bits >> 3)
        } else {
            Access::from_bits_truncate(bits)
        };
        if granted.contains(wanted) { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether `credentials` may do what only owners do: chmod(2), set times.
    ///
    /// # Errors
    /// `EPERM`: neither the owner nor privileged.
    pub fn check_owner(&self, credentials: Credentials) -> Result<(), Errno> {
        if credentials.is_privileged() || credentials.uid == self.uid { Ok(()) } else { Err(Errno::EPERM) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Credentials, Ownership};
    use crate::abi::errno::Errno;
    use crate::abi::mode::{FileType, Permissions};

    fn file(mode: u32) -> Ownership {
        let file_type = FileType::Regular;
        Ownership { file_type, permissions: Permissions::from_mode(mode), uid: 7, gid: 70 }
    }

    #[test]
    fn only_the_first_matching_class_counts() {
        let owner = Credentials { uid: 7, gid: 1 };
        let member = Credentials { uid: 8, gid: 70 };
        let other = Credentials { uid: 8, gid: 1 };
        assert_eq!(file(0o077).check(owner, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o707).check(member, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o770).check(other, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o640).check(owner, Access::READ | Access::WRITE), Ok(()));
        assert_eq!(file(0o640).check(member, Access::READ), Ok(()));
        assert_eq!(file(0o640).check(member, Access::WRITE), Err(Errno::EACCES));
    }

    #[test]
    fn the_privileged_user_cannot_execute_what_nobody_can() {
        assert_eq!(file(0o000).check(Credentials::ROOT, Access::READ | Access::WRITE), Ok(()));
        assert_eq!(file(0o666).check(Credentials::ROOT, Access::EXECUTE), Err(Errno::EACCES));
        assert_eq!(file(0o001).check(Credentials::ROOT, Access::EXECUTE), Ok(()));
        let directory = Ownership { file_type: FileType::Directory, ..file(0) };
        assert_eq!(directory.check(Credentials::ROOT, Access::EXECUTE), Ok(()));
    }
}
