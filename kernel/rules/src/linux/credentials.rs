//! On whose behalf something is done: users, groups, capabilities, and how a process changes them.
//!
//! Missing: supplementary groups, IDs for files alone (`setfsuid`). All threads of a process have the same here, as C
//! libraries see to it that they do.
//! Why: decision 0082.
//! Source: credentials(7), capabilities(7); Linux 6.1 kernel/sys.c (`__sys_setresuid` and its kin),
//! security/commoncap.c (`cap_emulate_setxuid`, `cap_bprm_creds_from_file`).

use crate::abi::errno::Errno;
use crate::abi::mode::Permissions;
use crate::linux::access::Ownership;
use crate::linux::capability::{Capability, SecureBits, Set, Sets};

/// The three IDs that a process has of users, or of groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ids {
    /// Who began it.
    pub real: u32,
    /// Who counts.
    pub effective: u32,
    /// What the effective one was and may be again.
    pub saved: u32,
}

/// What the callers of setresuid(2) and its kin pass for an ID that stays: -1.
pub const KEEP: u32 = u32::MAX;

impl Ids {
    /// All the same.
    #[must_use]
    pub const fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id }
    }

    const fn has(self, id: u32) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// setuid(2), setgid(2).
    ///
    /// # Errors
    /// `EINVAL`: -1. `EPERM`: not privileged, and neither the real nor the saved one.
    pub fn set(self, id: u32, is_privileged: bool) -> Result<Self, Errno> {
        match id {
            KEEP => Err(Errno::EINVAL),
            id if is_privileged => Ok(Self::all(id)),
            id if id == self.real || id == self.saved => Ok(Self { effective: id, ..self }),
            _ => Err(Errno::EPERM),
        }
    }

    /// setreuid(2), setregid(2).
    ///
    /// # Errors
    /// `EPERM`: not privileged, and the real one would be neither the real nor the effective one before, or the
    /// effective one none of the three.
    pub fn set_two(self, real: u32, effective: u32, is_privileged: bool) -> Result<Self, Errno> {
        let real_may = real == KEEP || is_privileged || real == self.real || real == self.effective;
        let effective_may = effective == KEEP || is_privileged || self.has(effective);
        if !real_may || !effective_may {
            return Err(Errno::EPERM);
        }
        let mut after = self;
        after.put(real, effective, KEEP);
        if real != KEEP || effective != KEEP && effective != self.real {
            after.saved = after.effective;
        }
        Ok(after)
    }

    /// setresuid(2), setresgid(2).
    ///
    /// # Errors
    /// `EPERM`: not privileged, and one of them would be none of the three before.
    pub fn set_three(self, [real, effective, saved]: [u32; 3], is_privileged: bool) -> Result<Self, Errno> {
        let may = |id: u32| id == KEEP || is_privileged || self.has(id);
        if ![real, effective, saved].into_iter().all(may) {
            return Err(Errno::EPERM);
        }
        let mut after = self;
        after.put(real, effective, saved);
        Ok(after)
    }

    fn put(&mut self, real: u32, effective: u32, saved: u32) {
        let slots = [&mut self.real, &mut self.effective, &mut self.saved];
        for (slot, id) in slots.into_iter().zip([real, effective, saved]) {
            if id != KEEP {
                *slot = id;
            }
        }
    }
}

/// On whose behalf something is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// Its users.
    pub users: Ids,
    /// Its groups.
    pub groups: Ids,
    /// What it may do beyond what these may.
    pub capabilities: Sets,
}

impl Credentials {
    /// Root with all its rights.
    pub const ROOT: Self = Self { users: Ids::all(0), groups: Ids::all(0), capabilities: Sets::ROOT };

    /// A user without rights.
    #[must_use]
    pub const fn of(uid: u32, gid: u32) -> Self {
        Self { users: Ids::all(uid), groups: Ids::all(gid), capabilities: Sets::NONE }
    }

    /// The user that counts.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.users.effective
    }

    /// The group that counts.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.groups.effective
    }

    /// Whether it may do what `capability` is for.
    #[must_use]
    pub const fn can(&self, capability: Capability) -> bool {
        self.capabilities.effective.has(capability)
    }

    /// Whether a process of these may send signals to one of `other` (`kill_ok_by_cred`).
    #[must_use]
    pub const fn may_signal(&self, other: &Self) -> bool {
        let sender = self.users;
        let receiver = other.users;
        sender.effective == receiver.saved
            || sender.effective == receiver.real
            || sender.real == receiver.saved
            || sender.real == receiver.real
            || self.can(Capability::KILL)
    }

    /// Whether a process of these may look into and change one of `other`, as `capability` lets all do.
    #[must_use]
    pub fn may_govern(&self, other: &Self, capability: Capability) -> bool {
        let is_same = other.users == Ids::all(self.users.real) && other.groups == Ids::all(self.groups.real);
        is_same || self.can(capability)
    }

    /// Other users, and what becomes of root's rights with them.
    pub fn change_users(&mut self, after: Ids) {
        let before = core::mem::replace(&mut self.users, after);
        let sets = &mut self.capabilities;
        if sets.secure.contains(SecureBits::NO_SETUID_FIXUP) {
            return;
        }
        if before.has(0) && !after.has(0) {
            if !sets.secure.contains(SecureBits::KEEP) {
                sets.permitted = Set::EMPTY;
                sets.effective = Set::EMPTY;
            }
            sets.ambient = Set::EMPTY;
        }
        if before.effective == 0 && after.effective != 0 {
            sets.effective = Set::EMPTY;
        }
        if before.effective != 0 && after.effective == 0 {
            sets.effective = sets.permitted;
        }
    }

    /// As access(2) has them: the real IDs, and root's rights if the real user is root.
    #[must_use]
    pub fn real(mut self) -> Self {
        self.users.effective = self.users.real;
        self.groups.effective = self.groups.real;
        let sets = &mut self.capabilities;
        if !sets.secure.contains(SecureBits::NO_SETUID_FIXUP) {
            sets.effective = if self.users.real == 0 { sets.permitted } else { Set::EMPTY };
        }
        self
    }

    /// What a program has that execve(2) starts from `file`, and whether that is more than who starts it, whom a C
    /// library then trusts less (`AT_SECURE`). With `no_new_privileges` it has no more than before.
    #[must_use]
    pub fn for_program(mut self, file: Ownership, no_new_privileges: bool) -> (Self, bool) {
        let before = self;
        if !no_new_privileges {
            if file.permissions.contains(Permissions::SET_UID) {
                self.users.effective = file.uid;
            }
            // Without the right to execute for the group, the bit means something else.
            if file.permissions.contains(Permissions::SET_GID) && file.permissions.bits() & 0o010 != 0 {
                self.groups.effective = file.gid;
            }
        }
        let is_other =
            self.users.effective != before.users.real || self.groups.effective != before.groups.real;
        let sets = &mut self.capabilities;
        let is_root = |id: u32| id == 0 && !sets.secure.contains(SecureBits::NO_ROOT);
        let is_effective = is_root(self.users.effective);
        let counts_as_root = is_effective || is_root(self.users.real);
        if is_other {
            sets.ambient = Set::EMPTY;
        }
        let of_root = if counts_as_root { sets.inheritable.union(sets.bounding) } else { Set::EMPTY };
        sets.permitted = of_root.union(sets.ambient);
        let gains = !sets.permitted.is_within(before.capabilities.permitted);
        if no_new_privileges && (is_other || gains) {
            sets.permitted = sets.permitted.intersection(before.capabilities.permitted);
            self.users.effective = self.users.real;
            self.groups.effective = self.groups.real;
        }
        sets.effective = if is_effective { sets.permitted } else { sets.ambient };
        sets.secure.remove(SecureBits::KEEP);
        self.users.saved = self.users.effective;
        self.groups.saved = self.groups.effective;
        let grows = is_effective || !sets.permitted.is_within(sets.ambient);
        (self, is_other || self.users.real != 0 && grows)
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Ids, KEEP};
    use crate::abi::errno::Errno;
    use crate::abi::mode::{FileType, Permissions};
    use crate::linux::access::Ownership;
    use crate::linux::capability::{Capability, SecureBits, Set, Sets};

    const MIXED: Ids = Ids { real: 1, effective: 2, saved: 3 };

    #[test]
    fn without_the_right_each_id_can_become_what_another_is() {
        assert_eq!(MIXED.set_three([3, 1, 2], false), Ok(Ids { real: 3, effective: 1, saved: 2 }));
        assert_eq!(MIXED.set_three([KEEP, 4, KEEP], false), Err(Errno::EPERM));
        assert_eq!(MIXED.set_three([KEEP, 4, KEEP], true), Ok(Ids { effective: 4, ..MIXED }));
    }

    #[test]
    fn two_ids_keep_the_effective_one_in_mind() {
        assert_eq!(MIXED.set_two(KEEP, 3, false), Ok(Ids { effective: 3, ..MIXED }));
        assert_eq!(MIXED.set_two(KEEP, 1, false), Ok(Ids { effective: 1, ..MIXED }));
        assert_eq!(MIXED.set_two(2, KEEP, false), Ok(Ids { real: 2, effective: 2, saved: 2 }));
        assert_eq!(MIXED.set_two(3, KEEP, false), Err(Errno::EPERM));
    }

    #[test]
    fn one_id_is_all_of_them_for_the_privileged() {
        assert_eq!(MIXED.set(9, true), Ok(Ids::all(9)));
        assert_eq!(MIXED.set(3, false), Ok(Ids { effective: 3, ..MIXED }));
        assert_eq!(MIXED.set(2, false), Err(Errno::EPERM));
        assert_eq!(MIXED.set(KEEP, true), Err(Errno::EINVAL));
    }

    #[test]
    fn rights_follow_the_users() {
        let mut who = Credentials::ROOT;
        who.change_users(Ids { effective: 5, ..who.users });
        assert_eq!((who.capabilities.effective, who.capabilities.permitted), (Set::EMPTY, Set::ALL));
        who.change_users(Ids::all(0));
        assert_eq!(who, Credentials::ROOT);
        who.change_users(Ids::all(5));
        assert_eq!(who, Credentials { groups: Ids::all(0), ..Credentials::of(5, 0) });
    }

    fn program(mode: u32) -> Ownership {
        let permissions = Permissions::from_mode(mode);
        Ownership { file_type: FileType::Regular, permissions, uid: 7, gid: 70 }
    }

    #[test]
    fn a_program_of_roots_has_what_the_bounding_set_allows() {
        let plain = program(0o755);
        let mut who = Credentials::ROOT;
        assert_eq!(who.capabilities.drop_from_bounding(5), Ok(()));
        assert_eq!(who.capabilities.set(Set::EMPTY, Set::EMPTY, Set::EMPTY), Ok(()));
        let fewer = Set::ALL.without(Capability::KILL.alone());
        let (after, is_secure) = who.for_program(plain, false);
        assert_eq!((after.capabilities.effective, after.capabilities.permitted), (fewer, fewer));
        assert!(!is_secure);
        assert_eq!(who.for_program(plain, true).0.capabilities.permitted, Set::EMPTY);
        let secure = SecureBits::NO_ROOT | SecureBits::KEEP;
        let bound = Credentials { capabilities: Sets { secure, ..Sets::ROOT }, ..Credentials::ROOT };
        let after = bound.for_program(plain, false).0.capabilities;
        assert_eq!((after.permitted, after.secure), (Set::EMPTY, SecureBits::NO_ROOT));
    }

    #[test]
    fn a_program_may_bring_its_owner() {
        let who = Credentials::of(5, 6);
        let (after, is_secure) = who.for_program(program(0o6755), false);
        assert_eq!(after.users, Ids { real: 5, effective: 7, saved: 7 });
        assert_eq!(after.groups, Ids { real: 6, effective: 70, saved: 70 });
        assert!(is_secure);
        assert_eq!(who.for_program(program(0o6755), true), (who, false));
        assert_eq!(who.for_program(program(0o2745), false), (who, false));
        let (root, is_secure) = who.for_program(Ownership { uid: 0, ..program(0o4755) }, false);
        assert_eq!((root.capabilities.effective, is_secure), (Set::ALL, true));
    }
}
