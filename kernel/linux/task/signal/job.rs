//! Job control signals: stopping and continuing a process, and reporting it to the parent.
//!
//! Owns: the order of a stop and a `SIGCONT`.   Not here: which group is in the foreground (linux/terminal/control).
//! A process counts as stopped once one thread has taken the signal. Its other threads are called at once, and stop
//! when they leave user mode or a wait.
//! Source: signal(7), wait(2); Linux 6.1 kernel/signal.c (`prepare_signal`, `do_signal_stop`).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use pollee::Sleep;

use super::super::process::Process;
use super::super::thread::CurrentThread;
use super::action::{self, Flags};
use super::pending::{CLD_CONTINUED, CLD_STOPPED, Info, ProcessSignals};
use super::send;
use rules::abi::signal::{SigSet, Signal};

/// A change that wait(2) has not reported to the parent yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// A signal stopped the process.
    Stopped(Signal),
    /// `SIGCONT` continued it.
    Continued,
}

/// Stops the process, unless a `SIGCONT` came after the stop signal was taken, when the count was `continues`.
pub(super) fn stop(process: &Arc<Process>, signal: Signal, continues: u32) {
    {
        let mut signals = process.signals.lock();
        if signals.continues != continues || signals.is_stopped {
            return;
        }
        signals.is_stopped = true;
        signals.unreported = Some(Change::Stopped(signal));
        process.is_stopped.store(true, Ordering::SeqCst);
    }
    for thread in process.threads.lock().iter() {
        thread.call_attention();
    }
    notify_parent(process, CLD_STOPPED, signal);
}

/// Sleeps until the process is continued or ends.
pub(super) fn wait_while_stopped(thread: &CurrentThread) {
    while thread.process().is_stopped.load(Ordering::SeqCst) && !thread.is_dying() {
        thread.sleep(None);
    }
}

/// Applies the immediate effect of sending `signal`: a stop signal discards pending `SIGCONT`s, and `SIGCONT` discards
/// pending stop signals.
///
/// Returns whether the process was continued; then the caller calls [`continued`] after unlocking.
#[must_use]
pub(super) fn cancel(process: &Process, signals: &mut ProcessSignals, signal: Signal) -> bool {
    let cancelled = if signal == Signal::CONT {
        SigSet::STOPS
    } else if signal.stops_by_default() {
        SigSet::EMPTY.with(Signal::CONT)
    } else {
        return false;
    };
    signals.pending.discard(cancelled);
    for thread in process.threads.lock().iter() {
        thread.signals.lock().pending.discard(cancelled);
    }
    if signal != Signal::CONT {
        return false;
    }
    signals.continues = signals.continues.wrapping_add(1);
    if !core::mem::take(&mut signals.is_stopped) {
        return false;
    }
    signals.unreported = Some(Change::Continued);
    process.is_stopped.store(false, Ordering::SeqCst);
    true
}

/// Wakes the threads of a continued process and notifies its parent.
pub(super) fn continued(process: &Arc<Process>) {
    process.wake_threads();
    notify_parent(process, CLD_CONTINUED, Signal::CONT);
}

fn notify_parent(process: &Process, code: i32, status: Signal) {
    let Some(parent) = process.parent.get() else { return };
    let action = parent.signals.lock().actions.get(Signal::CHLD);
    if action.handler != action::IGNORE && !action.flags.contains(Flags::NOCLDSTOP) {
        let uid = process.credentials.lock().users.real;
        let status = u32::from(status.number());
        send::to_process(&parent, Info::child(code, process.pid(), uid, status, process.usage()));
    }
    parent.wake_threads();
}
