//! Waits for children: wait4(2), waitid(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use bitflags::bitflags;
use pollee::Sleep;
use rules::abi::errno::Errno;

use super::process::{ExitStatus, Process};
use super::process_table;
use super::signal::job::Change;
use super::thread::CurrentThread;
use rules::abi::signal::Signal;

/// Which children to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChildFilter {
    /// Any child.
    Any,
    /// The child with this ID.
    Process(u32),
    /// Children of this process group.
    Group(u32),
}

/// What wait(2) reports of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChildState {
    /// The child ended.
    Ended(ExitStatus),
    /// The child was stopped or continued.
    Changed(Change),
}

bitflags! {
    /// The options of waitid(2).
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(crate) struct Options: u32 {
        /// Does not sleep.
        const NOHANG = 1;
        /// Reports children that were stopped.
        const STOPPED = 2;
        /// Reports children that ended.
        const EXITED = 4;
        /// Reports children that were continued.
        const CONTINUED = 8;
        /// `__WNOTHREAD`: only children of the calling thread. Here children belong to the process.
        const NO_THREAD = 0x2000_0000;
        /// `__WALL`: children with any exit signal.
        const ALL = 0x4000_0000;
        /// `__WCLONE`: only children whose exit signal is not `SIGCHLD`; without it, only the others.
        const CLONE = 0x8000_0000;
        /// Leaves the child waitable.
        const NOWAIT = 0x0100_0000;
    }
}

/// Finds a child to report, waiting for one unless told not to; `None` if there is none and the caller does not wait.
///
/// # Errors
/// `ECHILD`: the caller has no such child. `EINTR`.
pub(crate) fn child(
    thread: &CurrentThread,
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
        // A child that changes after this check wakes the thread, and its next sleep returns at once.
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
        // A zombie is none of those to wait for if its end is not asked for (`wait_consider_task`).
        exists |= !child.has_ended() || options.contains(Options::EXITED);
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

/// Returns the state of `child` to report and, unless `NOWAIT` is set, marks it as reported.
fn state(child: &Process, options: Options) -> Option<ChildState> {
    if child.has_ended() {
        let end = *child.exit_status.lock();
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
