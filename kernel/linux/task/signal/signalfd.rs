//! The pending signals of a thread, as signalfds ask for them.
//!
//! Owns: which signalfds a process has told of its signals.   Not here: the file (`core/object/signalfd`), the signals
//! (`pending`).
//! Source: signalfd(2); Linux 6.1 fs/signalfd.c.

use alloc::sync::{Arc, Weak};

use rules::abi::errno::Errno;
use rules::abi::siginfo::{self, RECORD_SIZE};
use rules::abi::signal::{SigSet, Signal};

use super::super::process::Process;
use super::super::thread::{self, Thread};
use super::super::timer;
use super::pending::Pending;
use crate::core::object::signalfd::{self, PendingSignals};

/// The signals that wait for a thread: its own, and those of its process.
pub(crate) struct Signals(Arc<Thread>);

/// A signalfd of this kernel's threads.
pub(crate) type SignalFd = signalfd::SignalFd<Signals>;

/// Tells the signalfds that `process` watches of `signal`, after it was queued.
pub(super) fn tell(process: &Process, signal: Signal) {
    // The list's lock is not held while one is told, which may run through epolls.
    for at in 0.. {
        let Some(file) = process.signal_files.lock().get(at).map(Weak::upgrade) else { return };
        if let Some(file) = file {
            file.notify(signal);
        }
    }
}

impl Signals {
    /// Gives `look` the pending signals of the thread, then those of its process, until it finds something.
    fn find<R>(&self, mut look: impl FnMut(&mut Pending) -> Option<R>) -> Option<R> {
        let mut shared = self.0.process().signals.lock();
        let mut own = self.0.signals.lock();
        look(&mut own.pending).or_else(|| look(&mut shared.pending))
    }
}

impl PendingSignals for Signals {
    fn current() -> Option<Self> {
        thread::current().map(Self)
    }

    fn has(&self, wanted: SigSet) -> bool {
        let is_wanted =
            |pending: &mut Pending| (!pending.signals().intersection(wanted).is_empty()).then_some(());
        self.find(is_wanted).is_some()
    }

    fn take(
        &self,
        wanted: SigSet,
        put: impl FnOnce(&[u8; RECORD_SIZE]) -> Result<(), Errno>,
    ) -> Option<Result<(), Errno>> {
        let mut put = Some(put);
        let taken = self.find(|pending| {
            let info = pending.first(wanted)?;
            // The first signal that is found ends the search.
            if let Err(error) = put.take()?(&siginfo::record(&info.to_words())) {
                return Some(Err(error));
            }
            pending.take(wanted).map(Ok)
        })?;
        Some(taken.map(|info| {
            if let Some((id, overrun)) = info.of_timer() {
                timer::note_delivered(self.0.process(), id, overrun);
            }
        }))
    }

    fn subscribe(&self, file: &Weak<SignalFd>) {
        let mut files = self.0.process().signal_files.lock();
        if files.iter().any(|other| other.ptr_eq(file)) {
            return;
        }
        // The others keep their places: another thread may be telling them one by one.
        match files.iter_mut().find(|other| other.strong_count() == 0) {
            Some(gone) => *gone = file.clone(),
            None => files.push(file.clone()),
        }
    }
}
