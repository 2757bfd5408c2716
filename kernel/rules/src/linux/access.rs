//! Checks the permission bits of a file against a user and a group.
//!
//! Not here: the identity of a process (`credentials`). Missing: access control lists.
//! Source: path_resolution(7) "Permissions"; Linux 6.1 fs/namei.c (`acl_permission_check`, `generic_permission`).

use bitflags::bitflags;

use crate::abi::errno::Errno;
use crate::abi::mode::{FileType, Permissions};
use crate::linux::capability::Capability;
use crate::linux::credentials::Credentials;

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
    /// Returns whether `credentials` have all of `wanted`.
    ///
    /// # Errors
    /// `EACCES`: the class of bits that applies (owner, group or others, the first that matches) lacks one, and no
    /// capability makes up for it. None does for executing a file that has no execute permission at all.
    pub fn check(&self, credentials: &Credentials, wanted: Access) -> Result<(), Errno> {
        let bits = self.permissions.bits();
        let granted = if credentials.uid() == self.uid {
            Access::from_bits_truncate(bits >> 6)
        } else if credentials.is_in(self.gid) {
            Access::from_bits_truncate(bits >> 3)
        } else {
            Access::from_bits_truncate(bits)
        };
        if granted.contains(wanted) || self.overrides(credentials).contains(wanted) {
            return Ok(());
        }
        Err(Errno::EACCES)
    }

    /// What capabilities grant, whatever the bits say.
    fn overrides(&self, credentials: &Credentials) -> Access {
        let is_directory = self.file_type == FileType::Directory;
        if credentials.can(Capability::DAC_OVERRIDE) {
            let is_executable = is_directory || self.permissions.bits() & 0o111 != 0;
            if is_executable { Access::all() } else { Access::READ | Access::WRITE }
        } else if credentials.can(Capability::DAC_READ_SEARCH) {
            if is_directory { Access::READ | Access::EXECUTE } else { Access::READ }
        } else {
            Access::empty()
        }
    }

    /// Returns whether `credentials` may do what only owners do: chmod(2), set times.
    ///
    /// # Errors
    /// `EPERM`: neither the owner nor with `CAP_FOWNER`.
    pub fn check_owner(&self, credentials: &Credentials) -> Result<(), Errno> {
        let may = credentials.uid() == self.uid || credentials.can(Capability::FOWNER);
        if may { Ok(()) } else { Err(Errno::EPERM) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Ownership};
    use crate::abi::errno::Errno;
    use crate::abi::mode::{FileType, Permissions};
    use crate::linux::credentials::Credentials;
    use crate::linux::groups::GroupSet;

    fn file(mode: u32) -> Ownership {
        let file_type = FileType::Regular;
        Ownership { file_type, permissions: Permissions::from_mode(mode), uid: 7, gid: 70 }
    }

    #[test]
    fn only_the_first_matching_class_counts() {
        let owner = Credentials::of(7, 1);
        let member = Credentials::of(8, 70);
        let other = Credentials::of(8, 1);
        assert_eq!(file(0o077).check(&owner, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o707).check(&member, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o770).check(&other, Access::READ), Err(Errno::EACCES));
        assert_eq!(file(0o640).check(&owner, Access::READ | Access::WRITE), Ok(()));
        assert_eq!(file(0o640).check(&member, Access::READ), Ok(()));
        assert_eq!(file(0o640).check(&member, Access::WRITE), Err(Errno::EACCES));
        let supplementary = GroupSet::new(2, |index| [70, 3][index]).unwrap();
        let also = Credentials { supplementary, ..other };
        assert_eq!(file(0o640).check(&also, Access::READ), Ok(()));
        assert_eq!(file(0o704).check(&also, Access::READ), Err(Errno::EACCES));
    }

    #[test]
    fn the_privileged_user_cannot_execute_a_file_without_execute_permission() {
        assert_eq!(file(0o000).check(&Credentials::ROOT, Access::READ | Access::WRITE), Ok(()));
        assert_eq!(file(0o666).check(&Credentials::ROOT, Access::EXECUTE), Err(Errno::EACCES));
        assert_eq!(file(0o001).check(&Credentials::ROOT, Access::EXECUTE), Ok(()));
        let directory = Ownership { file_type: FileType::Directory, ..file(0) };
        assert_eq!(directory.check(&Credentials::ROOT, Access::EXECUTE), Ok(()));
    }
}
