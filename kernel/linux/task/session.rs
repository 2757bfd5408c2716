//! Process groups and sessions.
//!
//! Owns: which groups are orphaned.   Not here: the sessions' terminals (`linux/terminal/session`).
//! Source: credentials(7), setpgid(2), setsid(2); Linux 6.1 kernel/exit.c (`will_become_orphaned_pgrp`).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use super::process::Process;
use super::process_table;
use super::signal::pending::Info;
use super::signal::send;
use rules::abi::signal::Signal;

/// Returns the members of a process group that have not ended.
pub(crate) fn members(group: u32) -> impl Iterator<Item = Arc<Process>> {
    process_table::filter(move |process| process.group() == group && !process.has_ended())
}

/// Returns whether the session has such a process group.
pub(crate) fn has_group(session: u32, group: u32) -> bool {
    process_table::any(|process| process.group() == group && process.session() == session)
}

/// Returns whether the group is orphaned: no member has a parent in another group of the same session, so no shell
/// does job control for it.
pub(crate) fn is_orphaned(group: u32) -> bool {
    !members(group).any(|member| {
        let parent = member.parent.get();
        parent.is_some_and(|parent| parent.group() != group && parent.session() == member.session())
    })
}

/// Returns whether a member of the group is stopped.
pub(crate) fn has_stopped_member(group: u32) -> bool {
    members(group).any(|member| member.is_stopped.load(Ordering::SeqCst))
}

/// Returns whether the end of `parent` orphaned the group of its `child` while a member of it is stopped.
pub(super) fn was_orphaned(child: &Process, parent: &Process) -> bool {
    let group = child.group();
    group != parent.group()
        && child.session() == parent.session()
        && is_orphaned(group)
        && has_stopped_member(group)
}

/// Sends `SIGHUP` and `SIGCONT` to the members of a group: a newly orphaned group has no shell to continue it.
pub(crate) fn hang_up(group: u32) {
    for member in members(group) {
        hang_up_process(&member);
    }
}

/// Sends `SIGHUP` and `SIGCONT` to a process whose terminal is gone.
pub(crate) fn hang_up_process(process: &Arc<Process>) {
    send::to_process(process, Info::kernel(Signal::HUP));
    send::to_process(process, Info::kernel(Signal::CONT));
}

/// Sends `signal` to the members of a group.
pub(crate) fn signal(group: u32, signal: Signal) {
    let _membership = process_table::MEMBERSHIP.lock();
    for member in members(group) {
        send::to_process(&member, Info::kernel(signal));
    }
}
