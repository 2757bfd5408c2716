//! Who may change what.

use proptest::prelude::*;

use super::{Attributes, Change, Policy, Rights, attr, parse_attr, priorities, renice};
use crate::abi::errno::Errno;

const USER: Rights = Rights { is_own: true, is_privileged: false, nice_limit: 0, priority_limit: 0 };
const ROOT: Rights = Rights { is_own: false, is_privileged: true, nice_limit: 0, priority_limit: 0 };

fn to(policy: u32, priority: u32) -> Change {
    Change { policy: Some(policy), priority, nice: None, resets_on_fork: false }
}

#[test]
fn priorities_belong_to_real_time_policies() {
    assert_eq!(priorities(0), Ok((0, 0)));
    assert_eq!(priorities(1), Ok((1, 99)));
    assert_eq!(priorities(6), Ok((0, 0)));
    assert_eq!(priorities(4), Err(Errno::EINVAL));
    let old = Attributes::default();
    for (policy, priority) in [(0, 1), (1, 0), (2, 100), (4, 0), (5, 7), (6, 0)] {
        assert_eq!(to(policy, priority).apply(old, ROOT), Err(Errno::EINVAL), "{policy} {priority}");
    }
    assert_eq!(to(2, 99).apply(old, ROOT).map(|new| new.priority), Ok(99));
}

#[test]
fn users_get_what_their_limits_allow() {
    let old = Attributes::default();
    assert_eq!(to(1, 1).apply(old, USER), Err(Errno::EPERM));
    let limited = Rights { priority_limit: 10, ..USER };
    assert!(to(1, 10).apply(old, limited).is_ok());
    assert_eq!(to(1, 11).apply(old, limited), Err(Errno::EPERM));
    let high = Attributes { policy: Policy::Fifo, priority: 50, ..old };
    assert!(to(1, 50).apply(high, USER).is_ok() && to(1, 49).apply(high, USER).is_ok());
    assert_eq!(to(2, 49).apply(high, USER), Err(Errno::EPERM), "another policy needs the limit");
    assert_eq!(to(3, 0).apply(old, Rights { is_own: false, ..USER }), Err(Errno::EPERM));
}

#[test]
fn an_idle_thread_and_one_that_resets_stay_so() {
    let idle = Attributes { policy: Policy::Idle, ..Attributes::default() };
    assert_eq!(to(0, 0).apply(idle, USER), Err(Errno::EPERM));
    assert!(to(0, 0).apply(idle, Rights { nice_limit: 20, ..USER }).is_ok());
    let resets = Attributes { resets_on_fork: true, ..Attributes::default() };
    assert_eq!(to(0, 0).apply(resets, USER), Err(Errno::EPERM));
    assert!(Change { resets_on_fork: true, ..to(0, 0) }.apply(resets, USER).is_ok());
    assert!(Change { policy: None, ..to(0, 0) }.apply(resets, USER).is_ok_and(|new| new.resets_on_fork));
}

#[test]
fn nice_values_go_up_freely() {
    let old = Attributes { nice: 5, ..Attributes::default() };
    assert_eq!(renice(old, 100, USER).map(|new| new.nice), Ok(19));
    assert_eq!(renice(old, 4, USER), Err(Errno::EACCES));
    assert_eq!(renice(old, 4, Rights { is_own: false, ..USER }), Err(Errno::EPERM));
    assert_eq!(renice(old, 0, Rights { nice_limit: 20, ..USER }).map(|new| new.nice), Ok(0));
    assert_eq!(renice(old, -1, Rights { nice_limit: 20, ..USER }), Err(Errno::EACCES));
    assert_eq!(renice(old, -100, ROOT).map(|new| new.nice), Ok(-20));
}

#[test]
fn children_inherit_unless_told_not_to() {
    let parent = Attributes { policy: Policy::Fifo, nice: -3, priority: 9, resets_on_fork: false };
    assert_eq!(parent.inherited(), parent);
    assert_eq!(Attributes { resets_on_fork: true, ..parent }.inherited(), Attributes::default());
    let batch = Attributes { policy: Policy::Batch, nice: -3, priority: 0, resets_on_fork: true };
    let child = Attributes { policy: Policy::Batch, ..Attributes::default() };
    assert_eq!(batch.inherited(), child);
}

proptest! {
    #[test]
    fn a_word_and_a_structure_hold_everything(
        number in prop_oneof![Just(0_u32), Just(1), Just(2), Just(3), Just(5)],
        nice in -20..20_i8, priority in 1..100_u8, resets_on_fork: bool,
    ) {
        let policy = Policy::from_number(number).unwrap();
        let priority = if policy.is_real_time() { priority } else { 0 };
        let attributes = Attributes { policy, nice, priority, resets_on_fork };
        prop_assert_eq!(Attributes::from_word(attributes.to_word()), attributes);
        let old = Attributes { nice, ..Attributes::default() };
        let change = parse_attr(&attr(attributes, 56), old).unwrap();
        prop_assert_eq!(change.apply(old, ROOT), Ok(attributes));
    }
}
