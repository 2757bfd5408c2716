//! Process groups and sessions.
//!
//! Owns: who may use which terminal, and who could continue whom.   Not here: the terminals (linux/terminal).
//! Locks: the table of terminals, a leaf.
//! Source: credentials(7), setpgid(2), setsid(2); Linux 6.1 kernel/exit.c (`will_become_orphaned_pgrp`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::process::{self, Process};
use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::linux::tty::Signal as Special;

use super::signal::action;
use super::signal::pending::Info;
use super::signal::send;
use super::thread;
use crate::linux::terminal::Terminal;
use crate::linux::terminal::control::{Owner, Use};
use rules::abi::signal::Signal;

/// The members of a process group that have not ended.
pub(crate) fn members(group: u32) -> Vec<Arc<Process>> {
    process::filter(|process| process.group() == group && !process.has_ended())
}

/// Whether the group exists in the session.
pub(crate) fn has_group(session: u32, group: u32) -> bool {
    process::any(|process| process.group() == group && process.session() == session)
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
pub(super) fn hang_up(group: u32) {
    for member in members(group) {
        send::to_process(&member, Info::kernel(Signal::HUP));
        send::to_process(&member, Info::kernel(Signal::CONT));
    }
}

/// The controlling terminals, by session.
static TERMINALS: SpinLock<BTreeMap<u32, Arc<Terminal>>> = SpinLock::new(BTreeMap::new());

/// The controlling terminal of a session.
pub(crate) fn terminal(session: u32) -> Option<Arc<Terminal>> {
    TERMINALS.lock().get(&session).cloned()
}

/// The controlling terminal of the caller, which `/dev/tty` opens.
pub(crate) fn own_terminal() -> Option<Arc<Terminal>> {
    thread::current().and_then(|thread| terminal(thread.process().session()))
}

/// Gives `terminal` to the session that `leader` leads, and puts its group into the foreground.
pub(crate) fn connect(leader: &Process, terminal: Arc<Terminal>) {
    terminal.set_owner(Owner { session: leader.session(), foreground: leader.group() });
    TERMINALS.lock().insert(leader.session(), terminal);
}

/// A leader without a terminal opens one that is nobody's: it becomes the session's.
pub(crate) fn connect_at_open(terminal: &Arc<Terminal>) {
    let Some(thread) = thread::current() else { return };
    let process = thread.process();
    let leads = process.session() == process.pid() && !process.is_init();
    if leads && terminal.owner().session == 0 && self::terminal(process.session()).is_none() {
        connect(process, terminal.clone());
    }
}

/// Another session has taken the terminal.
pub(crate) fn forget_terminal(session: u32) {
    let _terminal = TERMINALS.lock().remove(&session);
}

/// Takes the terminal from a session, whose processes in the foreground hang up.
pub(crate) fn disconnect(session: u32) {
    let terminal = TERMINALS.lock().remove(&session);
    let Some(terminal) = terminal else { return };
    let foreground = terminal.owner().foreground;
    terminal.set_owner(Owner::default());
    if foreground != 0 {
        hang_up(foreground);
    }
}

/// The processes that were in the foreground of a terminal that is gone, by session: they hang up with their leader.
static LEFT_BEHIND: SpinLock<BTreeMap<u32, u32>> = SpinLock::new(BTreeMap::new());

/// A session's terminal is gone for good: its leader hears of it, the others when the leader ends.
pub(crate) fn hang_up_terminal(owner: Owner) {
    forget_terminal(owner.session);
    let Some(leader) = process::find(owner.session) else { return };
    LEFT_BEHIND.lock().insert(owner.session, owner.foreground);
    send::to_process(&leader, Info::kernel(Signal::HUP));
    send::to_process(&leader, Info::kernel(Signal::CONT));
}

/// The end of a process: a leader's session loses its terminal, and has nobody any more who does job control.
pub(super) fn leave(process: &Process) {
    if process.session() == process.pid() {
        disconnect(process.pid());
        let left_behind = LEFT_BEHIND.lock().remove(&process.pid());
        if let Some(foreground) = left_behind {
            hang_up(foreground);
        }
    }
}

/// Sends the signal of a terminal's special character.
pub(crate) fn signal(group: u32, signal: Special) {
    let signal = match signal {
        Special::Interrupt => Signal::INT,
        Special::Quit => Signal::QUIT,
        Special::Suspend => Signal::TSTP,
        Special::WindowChange => Signal::WINCH,
    };
    to_group(group, signal);
}

fn to_group(group: u32, signal: Signal) {
    let _membership = process::MEMBERSHIP.lock();
    for member in members(group) {
        send::to_process(&member, Info::kernel(signal));
    }
}

/// Whether the caller may use a terminal of this owner so. If not, its whole group is stopped, and tries again when it
/// is in the foreground.
///
/// # Errors
/// `EINTR`: the signal was sent. `EIO`: nobody could continue the group, or a reader ignores the signal.
pub(crate) fn admit(owner: Owner, what: Use) -> Result<(), Errno> {
    let Some(thread) = thread::current() else { return Ok(()) };
    let process = thread.process();
    let group = process.group();
    if process.session() != owner.session || owner.foreground == 0 || group == owner.foreground {
        return Ok(());
    }
    let signal = match what {
        Use::Read => Signal::TTIN,
        Use::Change => Signal::TTOU,
    };
    let is_ignored = process.signals.lock().actions.get(signal).handler == action::IGNORE;
    if is_ignored || thread.signals.lock().mask.contains(signal) {
        return if what == Use::Read { Err(Errno::EIO) } else { Ok(()) };
    }
    if is_orphaned(group) {
        return Err(Errno::EIO);
    }
    to_group(group, signal);
    Err(Errno::EINTR)
}
