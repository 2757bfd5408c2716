//! Waiting for children: wait4(2), waitid(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use bitflags::bitflags;
use pollee::Sleep;
use rules::abi::errno::Errno;

use super::process::{ExitStatus, Process};
use super::process_table;
use super::signal::job::Change;
use super::thread::Myself;
use rules::abi::signal::Signal;

/// Which children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChildFilter {
    /// Any child.
    Any,
    /// The child with this ID.
    Process(u32),
    /// Children of this process group.
    Group(u32),
}

/// What a parent is told of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChildState {
    /// It ended.
    Ended(ExitStatus),
    /// It was stopped, or went on.
    Changed(Change),
}

bitflags! {
    /// The options of waitid(2).
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(crate) struct Options: u32 {
        /// Do not sleep.
        const NOHANG = 1;
        /// Tell of children that were stopped.
        const STOPPED = 2;
        /// Tell of children that ended.
        const EXITED = 4;
        /// Tell of children that went on.
        const CONTINUED = 8;
        /// `__WNOTHREAD`: only children of the calling thread. Here they are the process's.
        const NO_THREAD = 0x2000_0000;
        /// `__WALL`: whatever signal tells of the child's end.
        const ALL = 0x4000_0000;
        /// `__WCLONE`: children whose end is told by another signal than `SIGCHLD`, or none; without it, only others.
        const CLONE = 0x8000_0000;
        /// Leave the child to be found again.
        const NOWAIT = 0x0100_0000;
    }
}

/// Finds a child to tell of; `None` if there is none and the caller does not wait.
///
/// # Errors
/// `ECHILD`: there is no such child. `EINTR`.
pub(crate) fn child(
    thread: &Myself,
    which: ChildFilter,
    options: Options,
) -> Result<Option<(Arc<Process>, ChildState)>, Errno> {
    loop {
        if let Some(found) = look(thread.process(), which, options)? {
            return Ok(Some(found));
        }
        if options.contains(Options::NOHANG) {
            return Ok(None);
        }
        // A child that changes after the look wakes this thread, and the wake sticks.
        if thread.is_interrupted() {
            return Err(Errno::EINTR);
        }
        thread.sleep(None);
    }
}

fn look(
    parent: &Process,
    which: ChildFilter,
    options: Options,
) -> Result<Option<(Arc<Process>, ChildState)>, Errno> {
    let mut children = parent.children.lock();
    // `eligible_child`.
    let is_of_kind = |child: &Process| {
        let is_clone = child.exit_signal.load(Ordering::Relaxed) != u32::from(Signal::CHLD.number());
        options.contains(Options::ALL) || is_clone == options.contains(Options::CLONE)
    };
    let is_meant = |child: &&Arc<Process>| match which {
        _ if !is_of_kind(child) => false,
        ChildFilter::Any => true,
        ChildFilter::Process(pid) => child.pid() == pid,
        ChildFilter::Group(group) => child.group() == group,
    };
    let mut exists = false;
    let mut found = None;
    for child in children.iter().filter(is_meant) {
        exists = true;
        if let Some(state) = state(child, options) {
            found = Some((child.clone(), state));
            break;
        }
    }
    let Some((child, state)) = found else {
        return if exists { Ok(None) } else { Err(Errno::ECHILD) };
    };
    if matches!(state, ChildState::Ended(_)) && !options.contains(Options::NOWAIT) {
        children.retain(|other| !Arc::ptr_eq(other, &child));
        drop(children);
        let used = *child.used.lock();
        let mut own = parent.used.lock();
        own.children += used.threads;
        own.children += used.children;
        drop(own);
        process_table::forget(child.pid());
    }
    Ok(Some((child, state)))
}

/// What is to be told of `child`, which is then told.
fn state(child: &Process, options: Options) -> Option<ChildState> {
    if child.has_ended() {
        let end = *child.end.lock();
        return end.filter(|_| options.contains(Options::EXITED)).map(ChildState::Ended);
    }
    let mut signals = child.signals.lock();
    let change = signals.unreported?;
    let wanted = match change {
        Change::Stopped(_) => Options::STOPPED,
        Change::Continued => Options::CONTINUED,
    };
    if !options.contains(wanted) {
        return None;
    }
    if !options.contains(Options::NOWAIT) {
        signals.unreported = None;
    }
    Some(ChildState::Changed(change))
}
