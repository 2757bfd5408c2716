//! The end of threads and processes.
//!
//! Source: exit(2), exit_group(2), wait(2); Linux 6.1 kernel/exit.c.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use super::futex::{self, Scope, Word};
use super::process::{self, End, Process};
use super::signal::pending::Info;
use super::signal::send;
use super::signal::set::Signal;
use super::thread::Thread;
use super::{robust, signal};
use crate::file::table::FdTable;
use crate::memory::user::UserPtr;

/// Makes all threads of the process end; the first to ask decides how it ended.
pub(crate) fn end_process(process: &Process, end: End) {
    {
        let mut ended = process.end.lock();
        if ended.is_some() {
            return;
        }
        *ended = Some(end);
    }
    let threads = process.threads.lock().clone();
    for thread in threads {
        thread.kill();
    }
}

/// Ends the current thread, and with the last one the process. `status` counts if nobody ended the process.
///
/// Returns the process if it is gone and its space and files were given up.
pub(crate) fn end_thread(thread: &Arc<Thread>, status: u8) {
    let process = thread.process();
    let clear_tid = thread.clear_tid.load(Ordering::Relaxed);
    let space = process.space();
    robust::release(thread, &space);
    if clear_tid != 0 && UserPtr::<u32>::new(&space, clear_tid).write(&0).is_ok() {
        let word = Word { space: &space, addr: clear_tid, scope: Scope::Shared };
        // Who has unmapped it meanwhile waits no more.
        let _ = futex::wake(word, 1, u32::MAX);
    }
    drop(space);
    let is_last = {
        let mut threads = process.threads.lock();
        threads.retain(|other| !Arc::ptr_eq(other, thread));
        threads.is_empty()
    };
    if is_last {
        process.end.lock().get_or_insert(End::Exited(status));
        bury(process);
    } else {
        // execve(2) waits for the others to end.
        process.wake_threads();
    }
}

/// What is left of a process when its last thread has ended: a zombie for its parent to find.
fn bury(process: &Arc<Process>) {
    drop(process.replace_files(Arc::new(FdTable::new())));
    let children = core::mem::take(&mut *process.children.lock());
    if let Some(init) = process::find(1).filter(|_| process.pid() != 1) {
        for child in children {
            *child.parent.lock() = Arc::downgrade(&init);
            let is_zombie = child.threads.lock().is_empty();
            init.children.lock().push(child.clone());
            if is_zombie {
                tell_parent(&child, &init);
            }
        }
    }
    let parent = process.parent.lock().upgrade();
    match parent {
        Some(parent) => tell_parent(process, &parent),
        None => process::forget(process.pid()),
    }
}

fn tell_parent(child: &Arc<Process>, parent: &Arc<Process>) {
    let Some(end) = *child.end.lock() else { return };
    let action = parent.signals.lock().actions.get(Signal::CHLD);
    let forgets =
        action.handler == signal::action::IGNORE || action.flags.contains(signal::action::Flags::NOCLDWAIT);
    if forgets {
        parent.children.lock().retain(|other| !Arc::ptr_eq(other, child));
        process::forget(child.pid());
    }
    if let Some(signal) = Signal::new(child.exit_signal.load(Ordering::Relaxed) as usize) {
        let (code, status) = match end {
            End::Exited(status) => (1, u64::from(status)),
            End::Killed(signal) => (2, u64::from(signal)),
        };
        let uid = child.credentials.lock().uid;
        let mut info = Info::user(signal, code, child.pid(), uid);
        info.value = status;
        send::to_process(parent, info);
    }
    parent.wake_threads();
}
