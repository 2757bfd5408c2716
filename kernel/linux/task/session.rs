//! Process groups and sessions.
//!
//! Owns: who could continue whom.   Not here: the sessions' terminals (`linux/terminal/session`).
//! Source: credentials(7), setpgid(2), setsid(2); Linux 6.1 kernel/exit.c (`will_become_orphaned_pgrp`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::process::Process;
use super::process_table;
use super::signal::pending::Info;
use super::signal::send;
use rules::abi::signal::Signal;

/// The members of a process group that have not ended.
pub(crate) fn members(group: u32) -> Vec<Arc<Process>> {
    process_table::filter(|process| process.group() == group && !process.has_ended())
}

/// Whether the group exists in the session.
pub(crate) fn has_group(session: u32, group: u32) -> bool {
    process_table::any(|process| process.group() == group && process.session() == session)
}

/// Whether no member of the group has a parent in another group of the same session: nobody who does job control
/// knows of it.
pub(crate) fn is_orphaned(group: u32) -> bool {
    !members(group).iter().any(|member| {
        let parent = member.parent.get();
        parent.is_some_and(|parent| parent.group() != group && parent.session() == member.session())
    })
}

/// Whether a member of the group is stopped.
pub(crate) fn has_stopped_member(group: u32) -> bool {
    members(group).iter().any(|member| member.is_stopped.load(Ordering::SeqCst))
}

/// Whether the end of `parent` orphaned the group of its `child`, and leaves somebody stopped for ever.
pub(super) fn was_orphaned(child: &Process, parent: &Process) -> bool {
    let group = child.group();
    group != parent.group()
        && child.session() == parent.session()
        && is_orphaned(group)
        && has_stopped_member(group)
}

/// Tells the members of a group that nobody could continue them: they may end, or go on.
pub(crate) fn hang_up(group: u32) {
    for member in members(group) {
        hang_up_process(&member);
    }
}

/// Tells a process that its terminal is gone, and lets it go on to hear of it.
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
