//! Whether a process may look into another one: the check behind ptrace(2) and most files in `/proc/PID`.
//!
//! Missing: user namespaces, security modules.
//! Source: ptrace(2) "Ptrace access mode checking"; Linux 6.1 kernel/ptrace.c (`__ptrace_may_access`),
//! security/commoncap.c (`cap_ptrace_access_check`).

use crate::linux::capability::{Capability, CapabilitySet};
use crate::linux::credentials::{Credentials, Ids};

/// Which IDs and rights of the caller count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// `PTRACE_MODE_FSCREDS`: those for files, and what is effective. Files in `/proc` ask so.
    Files,
    /// `PTRACE_MODE_REALCREDS`: the real ones, and what is permitted. System calls ask so.
    Real,
}

/// `SUID_DUMP_*`: whether a process may be looked into by its own user. prctl(2)'s `PR_SET_DUMPABLE`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dumpable {
    /// Only by who has `CAP_SYS_PTRACE`; its files in `/proc` belong to root.
    No,
    /// By its user.
    Yes,
}

/// Returns whether a process with the credentials `caller` may look into another one of `target`. A process may always
/// look into itself, which the caller of this function checks.
#[must_use]
pub fn may_access(caller: &Credentials, basis: Basis, target: &Credentials, dumpable: Dumpable) -> bool {
    let (uid, gid, rights) = match basis {
        Basis::Files => (caller.users.file, caller.groups.file, caller.capabilities.effective),
        Basis::Real => (caller.users.real, caller.groups.real, caller.capabilities.permitted),
    };
    let is_privileged = caller.can(Capability::SYS_PTRACE);
    let are_all = |ids: Ids, id: u32| ids.real == id && ids.effective == id && ids.saved == id;
    let is_same = are_all(target.users, uid) && are_all(target.groups, gid);
    let has_more = |rights: CapabilitySet| !target.capabilities.permitted.is_within(rights);
    is_privileged || is_same && dumpable == Dumpable::Yes && !has_more(rights)
}

#[cfg(test)]
mod tests {
    use super::{Basis, Dumpable, may_access};
    use crate::linux::capability::{Capability, CapabilitySet, CapabilitySets};
    use crate::linux::credentials::{Credentials, Ids};

    fn files(caller: &Credentials, target: &Credentials) -> bool {
        may_access(caller, Basis::Files, target, Dumpable::Yes)
    }

    #[test]
    fn each_id_of_the_target_counts() {
        let user = Credentials::of(5, 50);
        assert!(files(&user, &user));
        for ids in [
            Ids { real: 0, ..user.users },
            Ids { effective: 0, ..user.users },
            Ids { saved: 0, ..user.users },
        ] {
            assert!(!files(&user, &Credentials { users: ids, ..user.clone() }));
            assert!(!files(&user, &Credentials { groups: ids, ..user.clone() }));
        }
        // The target's ID for files does not.
        assert!(files(&user, &Credentials { users: Ids { file: 0, ..user.users }, ..user.clone() }));
        assert!(files(&Credentials::ROOT, &user) && !files(&user, &Credentials::ROOT));
    }

    #[test]
    fn the_basis_chooses_the_callers_ids() {
        let user = Credentials::of(5, 50);
        let acting = Credentials { users: Ids { real: 6, ..user.users }, ..user.clone() };
        assert!(files(&acting, &user));
        assert!(!may_access(&acting, Basis::Real, &user, Dumpable::Yes));
        let begun = Credentials { users: Ids { file: 6, ..user.users }, ..user.clone() };
        assert!(!files(&begun, &user));
        assert!(may_access(&begun, Basis::Real, &user, Dumpable::Yes));
    }

    #[test]
    fn a_target_that_is_not_dumpable_or_may_more_is_closed_to_its_user() {
        let user = Credentials::of(5, 50);
        assert!(!may_access(&user, Basis::Files, &user, Dumpable::No));
        assert!(may_access(&Credentials::ROOT, Basis::Files, &user, Dumpable::No));
        let permitted = Capability::KILL.alone();
        let able = Credentials {
            capabilities: CapabilitySets { permitted, ..CapabilitySets::NONE },
            ..user.clone()
        };
        assert!(!files(&user, &able));
        assert!(!files(&able, &able), "what is permitted must be effective");
        assert!(may_access(&able, Basis::Real, &able, Dumpable::Yes));
        let tracer = Capability::SYS_PTRACE.alone();
        let capabilities =
            CapabilitySets { effective: tracer, permitted: CapabilitySet::EMPTY, ..able.capabilities };
        assert!(files(&Credentials { capabilities, ..Credentials::of(9, 9) }, &able));
    }
}
