//! Signals: generation, selection, delivery and return.
//!
//! Source: signal(7), sigaction(2); Linux 6.1 kernel/signal.c.

pub(crate) mod action;
pub(crate) mod deliver;
pub(crate) mod dequeue;
pub(crate) mod frame;
pub(crate) mod job;
pub(crate) mod pending;
pub(crate) mod send;
pub(crate) mod sigio;
pub(crate) mod signalfd;
mod xsave;

use core::sync::atomic::Ordering;

use super::thread::Thread;

/// Returns whether `thread` must leave its wait, for an unblocked signal or to stop.
pub(crate) fn has_deliverable(thread: &Thread) -> bool {
    if thread.process().is_stopped.load(Ordering::SeqCst) {
        return true;
    }
    let own = thread.signals.lock();
    let mask = own.mask;
    if !own.pending.signals().without(mask).is_empty() {
        return true;
    }
    drop(own);
    !thread.process().signals.lock().pending.signals().without(mask).is_empty()
}
