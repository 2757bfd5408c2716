//! Applies [`rules::linux::ptrace`] to processes.
//!
//! Why: decision 0122.
//! Source: ptrace(2) "Ptrace access mode checking"; Linux 6.1 kernel/ptrace.c (`ptrace_may_access`).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::linux::credentials::Credentials;
use rules::linux::ptrace::{self, Basis, Dumpable};

use super::process::Process;
use super::thread;

/// Checks whether the current thread may look into `target` through files: its credentials for files count.
///
/// # Errors
/// `EACCES`: it may not.
pub(crate) fn check(target: &Arc<Process>) -> Result<(), Errno> {
    if may(target, Basis::Files) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Returns whether the current thread may look into `target`, by its credentials for `basis`.
pub(crate) fn may(target: &Arc<Process>, basis: Basis) -> bool {
    // The kernel itself may.
    let Some(thread) = thread::current() else { return true };
    if Arc::ptr_eq(thread.process(), target) {
        return true;
    }
    let caller = thread.process().credentials.lock().clone();
    let of_target = target.credentials.lock().clone();
    // A process that has ended has no memory to look into.
    let dumpable = if target.has_ended() { Dumpable::Yes } else { dumpable(target) };
    ptrace::may_access(&caller, basis, &of_target, dumpable)
}

/// Returns whose the files in the directory of `target` in `/proc` are (`task_dump_owner`).
pub(crate) fn owner(target: &Process) -> Credentials {
    if target.has_ended() || dumpable(target) == Dumpable::No {
        return Credentials::of(0, 0);
    }
    counting(target)
}

/// Returns the effective IDs of `target`.
pub(crate) fn counting(target: &Process) -> Credentials {
    let credentials = target.credentials.lock();
    Credentials::of(credentials.users.effective, credentials.groups.effective)
}

fn dumpable(target: &Process) -> Dumpable {
    if target.is_dumpable.load(Ordering::Relaxed) { Dumpable::Yes } else { Dumpable::No }
}
