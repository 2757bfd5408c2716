//! What each call to change identities permits.

use super::{Credentials, Ids, KEEP};
use crate::abi::errno::Errno;
use crate::abi::mode::{FileType, Permissions};
use crate::linux::access::Ownership;
use crate::linux::capability::{Capability, CapabilitySet, CapabilitySets, SecureBits};

const MIXED: Ids = Ids { real: 1, effective: 2, saved: 3, file: 2 };

#[test]
fn without_the_right_each_id_can_become_what_another_is() {
    assert_eq!(MIXED.set_three([3, 1, 2], false), Ok(Ids { real: 3, effective: 1, saved: 2, file: 1 }));
    assert_eq!(MIXED.set_three([KEEP, 4, KEEP], false), Err(Errno::EPERM));
    assert_eq!(MIXED.set_three([KEEP, 4, KEEP], true), Ok(Ids { effective: 4, file: 4, ..MIXED }));
}

#[test]
fn two_ids_keep_the_effective_one_in_mind() {
    assert_eq!(MIXED.set_two(KEEP, 3, false), Ok(Ids { effective: 3, file: 3, ..MIXED }));
    assert_eq!(MIXED.set_two(KEEP, 1, false), Ok(Ids { effective: 1, file: 1, ..MIXED }));
    assert_eq!(MIXED.set_two(2, KEEP, false), Ok(Ids::all(2)));
    assert_eq!(MIXED.set_two(3, KEEP, false), Err(Errno::EPERM));
}

#[test]
fn one_id_is_all_of_them_for_the_privileged() {
    assert_eq!(MIXED.set(9, true), Ok(Ids::all(9)));
    assert_eq!(MIXED.set(3, false), Ok(Ids { effective: 3, file: 3, ..MIXED }));
    assert_eq!(MIXED.set(2, false), Err(Errno::EPERM));
    assert_eq!(MIXED.set(KEEP, true), Err(Errno::EINVAL));
}

#[test]
fn rights_follow_the_users() {
    let mut who = Credentials::ROOT;
    who.change_users(Ids { effective: 5, ..who.users });
    assert_eq!(
        (who.capabilities.effective, who.capabilities.permitted),
        (CapabilitySet::EMPTY, CapabilitySet::ALL)
    );
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
    assert_eq!(
        who.capabilities.set(CapabilitySet::EMPTY, CapabilitySet::EMPTY, CapabilitySet::EMPTY),
        Ok(())
    );
    let fewer = CapabilitySet::ALL.without(Capability::KILL.alone());
    let (after, is_secure) = who.clone().for_program(plain, false);
    assert_eq!((after.capabilities.effective, after.capabilities.permitted), (fewer, fewer));
    assert!(!is_secure);
    assert_eq!(who.clone().for_program(plain, true).0.capabilities.permitted, CapabilitySet::EMPTY);
    let secure = SecureBits::NO_ROOT | SecureBits::KEEP;
    let bound =
        Credentials { capabilities: CapabilitySets { secure, ..CapabilitySets::ROOT }, ..Credentials::ROOT };
    let after = bound.for_program(plain, false).0.capabilities;
    assert_eq!((after.permitted, after.secure), (CapabilitySet::EMPTY, SecureBits::NO_ROOT));
}

#[test]
fn a_program_may_bring_its_owner() {
    let who = Credentials::of(5, 6);
    let (after, is_secure) = who.clone().for_program(program(0o6755), false);
    assert_eq!(after.users, Ids { real: 5, effective: 7, saved: 7, file: 7 });
    assert_eq!(after.groups, Ids { real: 6, effective: 70, saved: 70, file: 70 });
    assert!(is_secure);
    assert_eq!(who.clone().for_program(program(0o6755), true), (who.clone(), false));
    assert_eq!(who.clone().for_program(program(0o2745), false), (who.clone(), false));
    let (root, is_secure) = who.for_program(Ownership { uid: 0, ..program(0o4755) }, false);
    assert_eq!((root.capabilities.effective, is_secure), (CapabilitySet::ALL, true));
}

#[test]
fn the_id_for_files_follows_the_effective_one_until_it_is_set() {
    assert_eq!(MIXED.set_file(3, false).file, 3);
    assert_eq!(MIXED.set_file(9, false), MIXED);
    assert_eq!(MIXED.set_file(9, true), Ids { file: 9, ..MIXED });
    assert_eq!(MIXED.set_file(KEEP, true), MIXED);
    assert_eq!(MIXED.set_file(9, true).set(3, false), Ok(Ids { effective: 3, file: 3, ..MIXED }));
}

#[test]
fn rights_over_files_follow_the_user_for_files() {
    let mut who = Credentials::ROOT;
    who.change_file_user(5);
    assert_eq!((who.uid(), who.users.effective), (5, 0));
    assert!(!who.can(Capability::DAC_OVERRIDE) && who.can(Capability::KILL));
    who.change_file_user(0);
    assert_eq!(who, Credentials::ROOT);
}

#[test]
fn a_process_closes_with_more_rights_or_other_ids() {
    let user = Credentials::of(5, 50);
    assert!(!user.closes_with(&Credentials { users: Ids { saved: 6, ..user.users }, ..user.clone() }));
    assert!(user.closes_with(&Credentials { users: Ids { file: 6, ..user.users }, ..user.clone() }));
    assert!(user.closes_with(&Credentials { groups: Ids::all(51), ..user.clone() }));
    assert!(user.closes_with(&Credentials { capabilities: CapabilitySets::ROOT, ..user.clone() }));
    let fewer = Credentials { capabilities: CapabilitySets::NONE, ..Credentials::ROOT };
    assert!(!Credentials::ROOT.closes_with(&fewer));
}
