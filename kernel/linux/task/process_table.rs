//! The table of all processes, by their IDs.
//!
//! Owns: the table, the next ID, how many processes there may be.   Not here: what a process is (`process`).
//! Locks: the table's, under which only `check_room` and `find_thread` lock a process's fields.
//! Source: fork(2), getrlimit(2) (`RLIMIT_NPROC`); Linux 6.1 kernel/pid.c, kernel/fork.c (`copy_process`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use ostd::sync::{Mutex, SpinLock};
use rules::abi::errno::Errno;
use rules::linux::capability::Capability;

use super::limits::Resource;
use super::process::Process;
use super::thread::Thread;

static PROCESSES: SpinLock<BTreeMap<u32, Arc<Process>>> = SpinLock::new(BTreeMap::new());
static LAST_ID: AtomicU32 = AtomicU32::new(0);

/// Processes that may exist at a time, including zombies.
pub(super) const MOST: usize = 8192;
/// Those of them that are left to privileged users.
const PRIVILEGED: usize = MOST / 16;

/// Held while a signal is sent to all members of a group and while a child is published. Otherwise a child could miss
/// a signal to its group that its parent has not seen yet. A mutex, because a group may be large.
pub(crate) static MEMBERSHIP: Mutex<()> = Mutex::new(());

/// Allocates an ID for a new thread or process.
///
/// IDs are not reused before they wrap after four billion, which no run reaches.
pub(crate) fn next_id() -> u32 {
    LAST_ID.fetch_add(1, Ordering::Relaxed) + 1
}

/// Returns the ID that was allocated last.
pub(crate) fn last_id() -> u32 {
    LAST_ID.load(Ordering::Relaxed)
}

/// Returns the process with that ID; it may be a zombie.
pub(crate) fn find(pid: u32) -> Option<Arc<Process>> {
    PROCESSES.lock().get(&pid).cloned()
}

/// Returns the process with the lowest ID from `pid` on.
pub(crate) fn first_from(pid: u32) -> Option<Arc<Process>> {
    PROCESSES.lock().range(pid..).next().map(|(_, process)| process.clone())
}

/// Returns all processes, including zombies, by ID.
///
/// One at a time, because a list of all would need memory in one piece: processes that begin or end meanwhile may be
/// missing.
pub(crate) fn all() -> impl Iterator<Item = Arc<Process>> {
    filter(|_| true)
}

/// Returns the number of processes, including zombies.
pub(crate) fn count() -> usize {
    PROCESSES.lock().len()
}

/// Returns the thread with that ID.
pub(crate) fn find_thread(tid: u32) -> Option<Arc<Thread>> {
    let with_tid = |process: &Arc<Process>| {
        let threads = process.threads.lock();
        threads.iter().find(|thread| thread.tid() == tid).cloned()
    };
    // Most callers pass the ID of a process.
    if let Some(thread) = find(tid).as_ref().and_then(with_tid) {
        return Some(thread);
    }
    PROCESSES.lock().values().find_map(with_tid)
}

/// Returns the processes for which `meets` holds, as [`all`] does. `meets` is called with the table locked and must not
/// take a lock.
pub(crate) fn filter(meets: impl Fn(&Process) -> bool) -> impl Iterator<Item = Arc<Process>> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let processes = PROCESSES.lock();
        let (pid, found) = processes.range(next..).find(|(_, process)| meets(process))?;
        next = pid + 1;
        Some(found.clone())
    })
}

/// Returns whether `meets` holds for any process; `meets` as in [`filter`].
pub(crate) fn any(meets: impl Fn(&Process) -> bool) -> bool {
    PROCESSES.lock().values().any(|process| meets(process))
}

/// Adds a process, so that others find it.
pub(super) fn insert(process: &Arc<Process>) {
    PROCESSES.lock().insert(process.pid(), process.clone());
}

/// Removes a process that was reaped.
pub(crate) fn forget(pid: u32) {
    let _process = PROCESSES.lock().remove(&pid);
}

/// Checks that `parent`'s user may have another process or thread.
///
/// # Errors
/// `EAGAIN`: the kernel's limit or `RLIMIT_NPROC` is reached.
pub(crate) fn check_room(parent: &Process) -> Result<(), Errno> {
    let credentials = parent.credentials.lock().clone();
    let most = parent.limits.soft(Resource::Processes);
    let processes = PROCESSES.lock();
    let is_bound = credentials.users.real != 0
        && !credentials.can(Capability::SYS_RESOURCE)
        && !credentials.can(Capability::SYS_ADMIN);
    if processes.len() >= if is_bound { MOST - PRIVILEGED } else { MOST } {
        return Err(Errno::EAGAIN);
    }
    if most == u64::MAX || !is_bound {
        return Ok(());
    }
    let of_user = |process: &Arc<Process>| {
        // Linux counts threads, too.
        let is_users = process.credentials.lock().users.real == credentials.users.real;
        if is_users { process.threads.lock().len() } else { 0 }
    };
    let count: usize = processes.values().map(of_user).sum();
    if count as u64 >= most { Err(Errno::EAGAIN) } else { Ok(()) }
}
