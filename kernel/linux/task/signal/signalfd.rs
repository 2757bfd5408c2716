//! The pending signals of a thread, as a signalfd reads them.
//!
//! Owns: which signalfds are notified of a process's signals.   Not here: the file (`core/object/signalfd`), the
//! pending signals (`pending`).
//! Source: signalfd(2); Linux 6.1 fs/signalfd.c.

use alloc::sync::{Arc, Weak};

use rules::abi::errno::Errno;
use rules::abi::siginfo::{self, RECORD_SIZE};
use rules::abi::signal::{SigSet, Signal};

use super::super::process::Process;
use super::super::thread::{self, Thread};
use super::dequeue;
use crate::core::object::signalfd::{self, PendingSignals};

/// The pending signals of a thread and of its process.
pub(crate) struct ThreadPending(Arc<Thread>);

/// A signalfd that reads the signals of this kernel's threads.
pub(crate) type SignalFd = signalfd::SignalFd<ThreadPending>;

/// Notifies the signalfds of `process` after `signal` was queued.
pub(super) fn notify(process: &Process, signal: Signal) {
    // The list is unlocked during each notification, which may run through epolls.
    for at in 0.. {
        let Some(file) = process.signal_files.lock().get(at).map(Weak::upgrade) else { return };
        if let Some(file) = file {
            file.notify(signal);
        }
    }
}

impl PendingSignals for ThreadPending {
    fn current() -> Option<Self> {
        thread::current().map(Self)
    }

    fn has(&self, wanted: SigSet) -> bool {
        let shared = self.0.process().signals.lock().pending.signals();
        !self.0.signals.lock().pending.signals().union(shared).intersection(wanted).is_empty()
    }

    fn take(
        &self,
        wanted: SigSet,
        put: impl FnOnce(&[u8; RECORD_SIZE]) -> Result<(), Errno>,
    ) -> Option<Result<(), Errno>> {
        dequeue::take_if(&self.0, wanted, |info| put(&siginfo::record(&info.to_words())))
    }

    fn subscribe(&self, file: &Weak<SignalFd>) {
        let mut files = self.0.process().signal_files.lock();
        if files.iter().any(|other| other.ptr_eq(file)) {
            return;
        }
        // Entries keep their positions, because another thread may be iterating over them.
        match files.iter_mut().find(|other| other.strong_count() == 0) {
            Some(gone) => *gone = file.clone(),
            None => files.push(file.clone()),
        }
    }
}
