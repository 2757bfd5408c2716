//! The credentials of a process: users, groups, capabilities, and how it changes them.
//!
//! All threads of a process share them here; on Linux C libraries bring that about.
//! Why: decision 0082.
//! Source: credentials(7), capabilities(7); Linux 6.1 kernel/sys.c (`__sys_setresuid` and its kin), kernel/cred.c
//! (`commit_creds`), security/commoncap.c (`cap_emulate_setxuid`, `cap_bprm_creds_from_file`).

use crate::abi::errno::Errno;
use crate::abi::mode::Permissions;
use crate::linux::access::Ownership;
use crate::linux::capability::{Capability, CapabilitySet, CapabilitySets, SecureBits};
use crate::linux::groups::GroupSet;

/// The four IDs that a process has of users, or of groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ids {
    /// Who began it.
    pub real: u32,
    /// Who counts.
    pub effective: u32,
    /// What the effective one was and may be again.
    pub saved: u32,
    /// Who counts where files are opened: the effective one, unless setfsuid(2) or setfsgid(2) has set another.
    pub file: u32,
}

/// What the callers of setresuid(2) and its kin pass for an ID that stays: -1.
pub const KEEP: u32 = u32::MAX;

impl Ids {
    /// All the same.
    #[must_use]
    pub const fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, file: id }
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
            id if id == self.real || id == self.saved => Ok(Self { effective: id, file: id, ..self }),
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
        after.file = after.effective;
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
        after.file = after.effective;
        Ok(after)
    }

    /// setfsuid(2), setfsgid(2). What is not permitted changes nothing.
    #[must_use]
    pub fn set_file(self, id: u32, is_privileged: bool) -> Self {
        let may = id != KEEP && (is_privileged || self.has(id) || id == self.file);
        if may { Self { file: id, ..self } } else { self }
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// Its users.
    pub users: Ids,
    /// Its groups.
    pub groups: Ids,
    /// The other groups that it belongs to.
    pub supplementary: GroupSet,
    /// What it may do beyond what these may.
    pub capabilities: CapabilitySets,
}

impl Credentials {
    /// Root with all its rights.
    pub const ROOT: Self = Self {
        users: Ids::all(0),
        groups: Ids::all(0),
        supplementary: GroupSet::EMPTY,
        capabilities: CapabilitySets::ROOT,
    };

    /// A user without rights.
    #[must_use]
    pub const fn of(uid: u32, gid: u32) -> Self {
        let (users, groups) = (Ids::all(uid), Ids::all(gid));
        Self { users, groups, supplementary: GroupSet::EMPTY, capabilities: CapabilitySets::NONE }
    }

    /// Returns the user that counts where files are opened and made.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.users.file
    }

    /// Returns the group that counts where files are made.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.groups.file
    }

    /// Returns whether it belongs to `group` where files are opened (`in_group_p`).
    #[must_use]
    pub fn is_in(&self, group: u32) -> bool {
        self.groups.file == group || self.supplementary.has(group)
    }

    /// Returns whether it may do what `capability` is for.
    #[must_use]
    pub const fn can(&self, capability: Capability) -> bool {
        self.capabilities.effective.has(capability)
    }

    /// Returns whether a process of these may send signals to one of `other` (`kill_ok_by_cred`).
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

    /// Returns whether a process of these gets the signals of files whose owner was set by the `real` and the
    /// `effective` user (`sigio_perm`).
    #[must_use]
    pub const fn may_get_io_signals_of(&self, [real, effective]: [u32; 2]) -> bool {
        let receiver = self.users;
        effective == 0
            || effective == receiver.saved
            || effective == receiver.real
            || real == receiver.saved
            || real == receiver.real
    }

    /// Returns whether a process of these may look into and change one of `other`, as `capability` lets all do.
    #[must_use]
    pub fn may_govern(&self, other: &Self, capability: Capability) -> bool {
        let are_all = |ids: Ids, id: u32| ids.real == id && ids.effective == id && ids.saved == id;
        let is_same = are_all(other.users, self.users.real) && are_all(other.groups, self.groups.real);
        is_same || self.can(capability)
    }

    /// Returns whether the change to `after` makes the process one that its user may not look into any more, and whose
    /// parent's end concerns it no longer (`commit_creds`).
    #[must_use]
    pub fn closes_with(&self, after: &Self) -> bool {
        let counting = |of: &Self| [of.users.effective, of.groups.effective, of.users.file, of.groups.file];
        counting(self) != counting(after)
            || !after.capabilities.permitted.is_within(self.capabilities.permitted)
    }

    /// setfsuid(2): another user for files, and what becomes of root's rights over files with it
    /// (`cap_task_fix_setuid`).
    pub fn change_file_user(&mut self, id: u32) {
        let before = self.users;
        self.users = before.set_file(id, self.can(Capability::SETUID));
        let sets = &mut self.capabilities;
        if sets.secure.contains(SecureBits::NO_SETUID_FIXUP) {
            return;
        }
        match (before.file == 0, self.users.file == 0) {
            (true, false) => sets.effective = sets.effective.without(CapabilitySet::OVER_FILES),
            (false, true) => {
                let raised = sets.permitted.intersection(CapabilitySet::OVER_FILES);
                sets.effective = sets.effective.union(raised);
            }
            _ => {}
        }
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
                sets.permitted = CapabilitySet::EMPTY;
                sets.effective = CapabilitySet::EMPTY;
            }
            sets.ambient = CapabilitySet::EMPTY;
        }
        if before.effective == 0 && after.effective != 0 {
            sets.effective = CapabilitySet::EMPTY;
        }
        if before.effective != 0 && after.effective == 0 {
            sets.effective = sets.permitted;
        }
    }

    /// As access(2) has them: the real IDs, and root's rights if the real user is root.
    #[must_use]
    pub fn real(mut self) -> Self {
        self.users.file = self.users.real;
        self.groups.file = self.groups.real;
        let sets = &mut self.capabilities;
        if !sets.secure.contains(SecureBits::NO_SETUID_FIXUP) {
            sets.effective = if self.users.real == 0 { sets.permitted } else { CapabilitySet::EMPTY };
        }
        self
    }

    /// Returns the credentials of a program that execve(2) starts from `file`, and whether they are more than those of
    /// the caller: a C library then trusts its environment less (`AT_SECURE`). With `no_new_privileges` they are not.
    #[must_use]
    pub fn for_program(mut self, file: Ownership, no_new_privileges: bool) -> (Self, bool) {
        let before = self.clone();
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
            sets.ambient = CapabilitySet::EMPTY;
        }
        let of_root =
            if counts_as_root { sets.inheritable.union(sets.bounding) } else { CapabilitySet::EMPTY };
        sets.permitted = of_root.union(sets.ambient);
        let gains = !sets.permitted.is_within(before.capabilities.permitted);
        if no_new_privileges && (is_other || gains) {
            sets.permitted = sets.permitted.intersection(before.capabilities.permitted);
            self.users.effective = self.users.real;
            self.groups.effective = self.groups.real;
        }
        sets.effective = if is_effective { sets.permitted } else { sets.ambient };
        sets.secure.remove(SecureBits::KEEP);
        for ids in [&mut self.users, &mut self.groups] {
            ids.saved = ids.effective;
            ids.file = ids.effective;
        }
        let grows = is_effective || !sets.permitted.is_within(sets.ambient);
        let is_secure = is_other || self.users.real != 0 && grows;
        (self, is_secure)
    }
}

#[cfg(test)]
mod tests;
