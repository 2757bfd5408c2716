//! Ends threads and processes.
//!
//! Source: exit(2), exit_group(2), wait(2); Linux 6.1 kernel/exit.c.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use spin::Once;

use super::process::{ExitStatus, Process};
use super::process_table;
use super::registers;
use super::signal::action::{self, Flags};
use super::signal::pending::{CLD_EXITED, CLD_KILLED, Info};
use super::signal::send;
use super::thread::Thread;
use super::{futex, robust, session};
use crate::core::file::table::FdTable;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;
use rules::abi::signal::{SigSet, Signal};

/// Ends the process: makes all its threads end. The first call decides the exit status.
pub(crate) fn end_process(process: &Process, end: ExitStatus) {
    {
        let mut ended = process.exit_status.lock();
        if ended.is_some() {
            return;
        }
        *ended = Some(end);
    }
    process.threads.lock().end_all();
}

/// Ends the current thread, and the process with its last thread. `leave_session` is then called once, before the
/// parent learns of the end; it is a parameter because terminals lie above tasks.
pub(crate) fn end_thread(thread: &Arc<Thread>, leave_session: fn(&Process)) {
    let process = thread.process();
    let space = process.space();
    release_futexes(thread, &space, thread.clear_tid.load(Ordering::Relaxed));
    drop(space);
    let left = {
        let mut threads = process.threads.lock();
        threads.remove(thread);
        process.used.lock().threads += thread.usage();
        threads.len()
    };
    if left == 0 {
        let status = process.first_status.load(Ordering::Relaxed);
        process.exit_status.lock().get_or_insert(ExitStatus::Exited(status));
        reap(process, leave_session);
    } else {
        // The thread may have been woken for a signal that another one must take now.
        let waiting = process.signals.lock().pending.signals();
        if !waiting.is_empty() {
            send::offer(process, SigSet::from_bits(waiting.bits()));
        }
        if left == 1 {
            // execve(2) waits until only its own thread is left; no other wait depends on this.
            process.wake_threads();
        }
    }
}

/// Wakes threads that wait for the current thread to leave this memory: robust futexes and set_tid_address(2).
pub(crate) fn release_futexes(thread: &Thread, space: &AddressSpace, clear_tid: usize) {
    robust::release(thread, space);
    if clear_tid != 0 && UserPtr::<u32>::new(space, clear_tid).write(&0).is_ok() {
        futex::wake_any(space, clear_tid);
    }
}

/// Releases what the process has when its last thread ends, and leaves a zombie for the parent.
fn reap(process: &Arc<Process>, leave_session: fn(&Process)) {
    process.timers.clear();
    drop(process.replace_files(no_files()));
    // The parent may take long to reap the process, so the memory is freed now.
    process.keep_peak(&process.space());
    let empty = AddressSpace::of_ended_processes();
    drop(registers::move_to_space(empty.clone()));
    drop(process.replace_space(empty));
    let program = process.program.lock().take();
    drop(program);
    process.release_vfork_parent();
    leave_session(process);
    reparent_children(process);
    let parent = process.parent.get().map(|parent| {
        let is_autoreaped = is_autoreaped(process, &parent);
        // Under the lock, so that wait(2) never sees a zombie that is about to vanish.
        let mut children = parent.children.lock();
        if is_autoreaped {
            children.retain(|other| !Arc::ptr_eq(other, process));
        }
        let notification = process.set_ended();
        drop(children);
        notification.deliver();
        (parent, is_autoreaped)
    });
    if parent.is_none() {
        process.set_ended().deliver();
    }
    match parent {
        Some((parent, false)) => notify_parent(process, &parent),
        Some((parent, true)) => {
            signal_parent(process, &parent);
            process_table::forget(process.pid());
            parent.wake_threads();
        }
        None => process_table::forget(process.pid()),
    }
}

/// Returns the table of ended processes, in which nothing is opened.
fn no_files() -> Arc<FdTable> {
    static TABLE: Once<Arc<FdTable>> = Once::new();
    TABLE.call_once(|| Arc::new(FdTable::new())).clone()
}

/// Returns whether the parent has disclaimed zombies: `SIG_IGN` or `SA_NOCLDWAIT`.
fn is_autoreaped(child: &Process, parent: &Process) -> bool {
    let action = parent.signals.lock().actions.get(Signal::CHLD);
    let exit_signal = Signal::new(child.exit_signal.load(Ordering::Relaxed) as usize);
    exit_signal == Some(Signal::CHLD)
        && (action.handler == action::IGNORE || action.flags.contains(Flags::NOCLDWAIT))
}

/// Gives the children to the nearest ancestor that is a subreaper, or to init.
fn reparent_children(process: &Arc<Process>) {
    let children = core::mem::take(&mut *process.children.lock());
    let Some(new_parent) = new_parent(process) else { return };
    for child in children {
        child.parent.replace(&new_parent);
        child.parent_executions.store(new_parent.executions.load(Ordering::Relaxed), Ordering::Relaxed);
        child.exit_signal.store(Signal::CHLD.number().into(), Ordering::Relaxed);
        new_parent.children.lock().push(child.clone());
        if let Some(signal) = Signal::new(child.parent_death_signal.load(Ordering::Relaxed) as usize) {
            send::to_process(&child, Info::kernel(signal));
        }
        if child.has_ended() {
            notify_parent(&child, &new_parent);
        } else if session::was_orphaned(&child, process) {
            session::hang_up(child.group());
        }
    }
}

fn new_parent(process: &Process) -> Option<Arc<Process>> {
    let mut ancestor = process.parent.get();
    while let Some(candidate) = ancestor {
        if candidate.is_subreaper.load(Ordering::Relaxed) && candidate.exit_status.lock().is_none() {
            return Some(candidate);
        }
        ancestor = candidate.parent.get();
    }
    process_table::find(1).filter(|_| !process.is_init())
}

fn notify_parent(child: &Arc<Process>, parent: &Arc<Process>) {
    signal_parent(child, parent);
    if is_autoreaped(child, parent) {
        parent.children.lock().retain(|other| !Arc::ptr_eq(other, child));
        process_table::forget(child.pid());
    }
    parent.wake_threads();
}

fn signal_parent(child: &Process, parent: &Arc<Process>) {
    let Some(end) = *child.exit_status.lock() else { return };
    let exit_signal = Signal::new(child.exit_signal.load(Ordering::Relaxed) as usize);
    // A parent that has executed another program since did not ask for any other signal (`do_notify_parent`).
    let is_stranger =
        child.parent_executions.load(Ordering::Relaxed) != parent.executions.load(Ordering::Relaxed);
    let exit_signal = exit_signal.map(|signal| if is_stranger { Signal::CHLD } else { signal });
    let is_ignored = || parent.signals.lock().actions.get(Signal::CHLD).handler == action::IGNORE;
    // A parent that ignores SIGCHLD does not get it even if it is blocked (`do_notify_parent`).
    if let Some(signal) = exit_signal.filter(|signal| *signal != Signal::CHLD || !is_ignored()) {
        let (code, status) = match end {
            ExitStatus::Exited(status) => (CLD_EXITED, status),
            ExitStatus::Killed(signal) => (CLD_KILLED, signal),
        };
        let uid = child.credentials.lock().users.real;
        let used = child.used.lock().threads;
        send::to_process(parent, Info { signal, ..Info::child(code, child.pid(), uid, status.into(), used) });
    }
}
