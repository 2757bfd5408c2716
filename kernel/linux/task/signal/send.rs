//! Sends signals to threads and processes.
//!
//! Why: decision 0030.

use alloc::sync::Arc;

use super::super::exit;
use super::super::limits::Resource;
use super::super::process::{ExitStatus, Process};
use super::super::thread::Thread;
pub(crate) use super::pending::Room;
use super::pending::{Info, ProcessSignals};
use super::{action, job, signalfd};
use rules::abi::signal::{SigSet, Signal};
use rules::linux::signal::Receiver;

/// Sends a signal to a process: any thread that does not block it may take it. Returns whether it is kept.
pub(crate) fn to_process(process: &Arc<Process>, info: Info) -> bool {
    let first = process.threads.lock().first().cloned();
    let is_blocked = first.is_some_and(|thread| thread.signals.lock().blocks(info.signal));
    let is_queued = queue(process, info, is_blocked, |signals| signals.pending.add(info, room(process)));
    if is_queued {
        offer(process, SigSet::EMPTY.with(info.signal));
    }
    is_queued
}

/// Sends a signal to one thread. Returns whether it is kept.
pub(crate) fn to_thread(thread: &Thread, info: Info) -> bool {
    let is_blocked = thread.signals.lock().blocks(info.signal);
    let is_queued = queue(thread.process(), info, is_blocked, |_| {
        thread.signals.lock().pending.add(info, room(thread.process()));
    });
    if is_queued {
        thread.call_attention();
    }
    is_queued
}

/// Returns how many signals may be pending for the processes of the receiver's user.
pub(crate) fn room(process: &Process) -> Room {
    Room { account: process.account(), most: process.limits.soft(Resource::PendingSignals) }
}

/// Offers each of the process's pending `signals` to a thread. A thread that ignored one because another thread was to
/// take it may have to take it now.
pub(crate) fn offer(process: &Process, signals: SigSet) {
    let threads = process.threads.lock();
    let open = |thread: &&Arc<Thread>| !signals.without(thread.signals.lock().mask).is_empty();
    // All threads that might take one: each decides when it looks.
    for thread in threads.iter().filter(open) {
        thread.call_attention();
        if signals.is_single() {
            break;
        }
    }
}

/// Queues a signal with `add` unless it has no effect; returns whether a thread must be woken.
fn queue(
    process: &Arc<Process>,
    info: Info,
    is_blocked: bool,
    add: impl FnOnce(&mut ProcessSignals),
) -> bool {
    let (is_queued, was_continued) = {
        let mut signals = process.signals.lock();
        let was_continued = job::cancel(process, &mut signals, info.signal);
        let receiver = if process.is_init() { Receiver::Init } else { Receiver::Ordinary };
        let disposition = signals.actions.get(info.signal).disposition();
        let is_kept = disposition.keeps(info.signal, receiver, is_blocked);
        if is_kept && info.signal != Signal::KILL {
            add(&mut signals);
        }
        (is_kept, was_continued)
    };
    if was_continued {
        job::continued(process);
    }
    if is_queued && info.signal == Signal::KILL {
        // SIGKILL ends the process here: no thread needs to take it, and a stopped one could not.
        exit::end_process(process, ExitStatus::Killed(Signal::KILL.number()));
        return false;
    }
    if is_queued {
        signalfd::notify(process, info.signal);
    }
    is_queued
}

/// Sends the signal of a fault by the current thread; it cannot be ignored or blocked.
pub(crate) fn fault(thread: &Thread, info: Info) {
    {
        let mut signals = thread.process().signals.lock();
        let mut own = thread.signals.lock();
        let mut act = signals.actions.get(info.signal);
        let is_blocked = own.mask.contains(info.signal);
        if is_blocked || act.handler == action::IGNORE {
            // As Linux's `force_sig_info_to_task`: resets the action to the default, which ends the process.
            act.handler = action::DEFAULT;
            signals.actions.set(info.signal, act);
            own.mask = own.mask.without(SigSet::EMPTY.with(info.signal));
        }
        signals.is_vulnerable |= act.handler == action::DEFAULT;
        own.pending.add(info, Room { most: u64::MAX, ..room(thread.process()) });
    }
    thread.call_attention();
}
