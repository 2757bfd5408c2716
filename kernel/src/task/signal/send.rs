//! Sending signals to threads and processes.

use alloc::sync::Arc;

use super::super::process::Process;
use super::super::thread::Thread;
use super::action;
use super::pending::Info;
use super::set::{SigSet, Signal};

/// Sends to a process: any thread that does not block it may take it.
pub(crate) fn to_process(process: &Arc<Process>, info: Info) {
    {
        let mut signals = process.signals.lock();
        if !is_kept(&mut signals, info.signal) {
            return;
        }
        signals.pending.add(info);
    }
    let threads = process.threads.lock().clone();
    let open = threads.iter().find(|thread| !thread.signals.lock().mask.contains(info.signal));
    if let Some(thread) = open {
        thread.call_attention();
    }
}

/// Sends to one thread.
pub(crate) fn to_thread(thread: &Thread, info: Info) {
    if !is_kept(&mut thread.process().signals.lock(), info.signal) {
        return;
    }
    thread.signals.lock().pending.add(info);
    thread.call_attention();
}

/// Sends what an instruction of the current thread caused: it cannot be ignored or put off.
pub(crate) fn fault(thread: &Thread, info: Info) {
    {
        let mut signals = thread.process().signals.lock();
        let mut own = thread.signals.lock();
        let mut act = signals.actions.get(info.signal);
        let is_blocked = own.mask.contains(info.signal);
        if is_blocked || act.handler == action::IGNORE {
            // Linux's `force_sig_info_to_task`: back to the default, which ends the process.
            act.handler = action::DEFAULT;
            signals.actions.set(info.signal, act);
            own.mask = own.mask.without(SigSet::EMPTY.with(info.signal));
        }
        own.pending.add(info);
    }
    thread.call_attention();
}

/// Whether the signal has any effect; those that stop and those that continue cancel each other.
fn is_kept(signals: &mut super::pending::ProcessSignals, signal: Signal) -> bool {
    let handler = signals.actions.get(signal).handler;
    if signal.is_absolute() {
        return true;
    }
    match handler {
        action::IGNORE => false,
        action::DEFAULT => !signal.is_ignored_by_default() && !signal.stops_by_default(),
        _ => true,
    }
}
