//! Signals: sending, choosing, delivering, and coming back.
//!
//! Source: signal(7), sigaction(2); Linux 6.1 kernel/signal.c.

pub(crate) mod action;
pub(crate) mod deliver;
pub(crate) mod frame;
pub(crate) mod pending;
pub(crate) mod send;
pub(crate) mod set;

use super::thread::Thread;

/// Whether a signal waits that `thread` does not block.
///
/// What the process would ignore anyway is not kept, so any signal here is one to deliver.
pub(crate) fn has_deliverable(thread: &Thread) -> bool {
    let own = thread.signals.lock();
    let mask = own.mask;
    if !own.pending.signals().without(mask).is_empty() {
        return true;
    }
    drop(own);
    !thread.process().signals.lock().pending.signals().without(mask).is_empty()
}
