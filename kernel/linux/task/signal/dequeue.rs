//! Takes pending signals: for a handler, for sigtimedwait(2), for a signalfd.
//!
//! Owns: which signal comes first, and that its timer goes on.   Not here: pending signals (`pending`).
//! Source: Linux 6.1 kernel/signal.c (`dequeue_signal`).

use super::super::process::Process;
use super::super::thread::Thread;
use super::super::timer;
use super::pending::{Info, Pending};
use alloc::sync::Arc;
use rules::abi::signal::{SigSet, Signal};

/// Takes the first of the `allowed` signals, the thread's own before the process's, and returns it with the count of
/// `SIGCONT`s sent so far.
pub(crate) fn take(thread: &Thread, allowed: SigSet) -> Option<(Info, u32)> {
    let process = thread.process();
    let (info, is_shared, continues) = {
        let mut shared = process.signals.lock();
        let own = thread.signals.lock().pending.take(allowed);
        let info = own.or_else(|| shared.pending.take(allowed))?;
        (info, own.is_none(), shared.continues)
    };
    let told = told(process, &info);
    note(process, &info, is_shared);
    Some((told, continues))
}

/// Passes the first of the `allowed` signals to `put`, and takes it if that succeeds. `None`: none is pending.
///
/// # Errors
/// The signal stays pending. Those of `put`.
pub(super) fn take_if<E>(
    thread: &Thread,
    allowed: SigSet,
    put: impl FnOnce(Info) -> Result<(), E>,
) -> Option<Result<(), E>> {
    let process = thread.process();
    let (info, is_shared) = {
        let mut shared = process.signals.lock();
        let mut own = thread.signals.lock();
        let is_shared = own.pending.first(allowed).is_none();
        let pending: &mut Pending = if is_shared { &mut shared.pending } else { &mut own.pending };
        let info = pending.first(allowed)?;
        if let Err(error) = put(told(process, &info)) {
            return Some(Err(error));
        }
        (pending.take(allowed)?, is_shared)
    };
    note(process, &info, is_shared);
    Some(Ok(()))
}

/// Returns what the signal tells at this moment: a timer's has the overruns until now.
fn told(process: &Process, info: &Info) -> Info {
    if info.timer.is_some() { info.with_overrun(timer::overrun_if_taken(process, info)) } else { *info }
}

fn note(process: &Arc<Process>, info: &Info, is_shared: bool) {
    timer::taken(process, info);
    if is_shared && info.signal == Signal::ALRM {
        timer::alarm_taken(process);
    }
}
