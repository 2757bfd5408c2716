//! Signalfds: pending signals as files. A signalfd shows the pending signals of the calling thread: its own, and
//! those of its process.
//!
//! Owns: the set of signals, and its watchers.   Not here: pending signals (the [`PendingSignals`] of the thread),
//! descriptors and flags (`core/syscall/signalfd`). A process keeps a list of the signalfds that it watches, and a
//! signal that is queued for the process [notifies](SignalFd::notify) them: as on Linux, an epoll instance gets the
//! signals of the process that added the signalfd. Readiness depends on the calling thread, so it is never cached.
//! Source: signalfd(2); Linux 6.1 fs/signalfd.c.

use alloc::sync::{Arc, Weak};
use core::marker::PhantomData;
use core::task::Poll;

use pollee::{
    Events, NoMemory, Pollable, Readiness, ReadinessHeader, ReadinessSource, Token, WakeMode, Watcher,
};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::siginfo::RECORD_SIZE;
use rules::abi::signal::{SigSet, Signal};
use rules::core::seek::Whence;

use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;
use crate::machine::memory::transfer::Sink;

/// The pending signals of one thread and its process; the layer above implements the trait.
pub(crate) trait PendingSignals: Sized + Send + Sync + 'static {
    /// Returns those of the current thread; `None` in a kernel task.
    fn current() -> Option<Self>;

    /// Returns whether one of `wanted` is pending.
    fn has(&self, wanted: SigSet) -> bool;

    /// Passes the `struct signalfd_siginfo` of the first of `wanted` to `put`, and dequeues the signal if `put`
    /// succeeds; `None` if none is pending.
    ///
    /// # Errors
    /// The signal stays pending. Those of `put`.
    fn take(
        &self,
        wanted: SigSet,
        put: impl FnOnce(&[u8; RECORD_SIZE]) -> Result<(), Errno>,
    ) -> Option<Result<(), Errno>>;

    /// Has `file` notified of the signals of the process from now on.
    fn subscribe(&self, file: &Weak<SignalFd<Self>>);
}

/// A set of signals, as a file.
pub(crate) struct SignalFd<P: PendingSignals> {
    state: event::Locked<SignalFdState>,
    me: Weak<Self>,
    signals: PhantomData<P>,
}

struct SignalFdState {
    wanted: SigSet,
}

impl Readiness for SignalFdState {
    /// Says only that one of the signals came, for some thread: what watchers are notified of.
    fn readiness(&self) -> Events {
        Events::IN
    }
}

/// Makes and opens a signalfd for `wanted`. Of `flags` only `O_NONBLOCK` counts.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create<P: PendingSignals>(wanted: SigSet, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let file = Arc::new_cyclic(|me: &Weak<SignalFd<P>>| SignalFd {
        state: event::Locked::new(Class::SignalFd, SignalFdState { wanted }),
        me: me.clone(),
        signals: PhantomData,
    });
    OpenFile::new(file, AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl<P: PendingSignals> SignalFd<P> {
    /// Changes the set of signals, and notifies waiters.
    pub(crate) fn set_wanted(&self, wanted: SigSet) {
        let mut state = self.state.lock();
        state.wanted = wanted;
        state.raise(Events::IN);
    }

    /// Notifies waiters that `signal` was queued, if it is in the set.
    pub(crate) fn notify(&self, signal: Signal) {
        let mut state = self.state.lock();
        if state.wanted.contains(signal) {
            state.raise(Events::IN);
        }
    }

    /// Returns the set of signals.
    pub(crate) fn wanted(&self) -> SigSet {
        self.state.read().wanted
    }
}

impl<P: PendingSignals> File for SignalFd<P> {
    fn class(&self) -> Class {
        Class::SignalFd
    }

    /// Reads as many pending signals as there is room for, at least one.
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() < RECORD_SIZE {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        let (Some(pending), wanted) = (P::current(), self.wanted()) else { return Poll::Pending };
        let mut count = 0;
        while to.remaining() >= RECORD_SIZE {
            let put = |record: &[u8; RECORD_SIZE]| {
                if to.put(record) < RECORD_SIZE { Err(Errno::EFAULT) } else { Ok(()) }
            };
            match pending.take(wanted, put) {
                Some(Ok(())) => count += 1,
                Some(Err(error)) if count == 0 => return Poll::Ready(Err(error)),
                None if count == 0 => return Poll::Pending,
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(Ok(count * RECORD_SIZE))
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(self)
    }

    /// Succeeds, although there is no offset (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }
}

impl<P: PendingSignals> Pollable<Pollux> for SignalFd<P> {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &self.state
    }

    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        None
    }

    /// Readable if one of the signals is pending for the thread that polls.
    fn poll(&self, interest: Events) -> Events {
        let is_ready = P::current().is_some_and(|pending| pending.has(self.wanted()));
        if is_ready { interest & Events::IN } else { Events::empty() }
    }

    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        if let Some(pending) = P::current() {
            pending.subscribe(&self.me);
        }
        let (token, _) = self.source().register(watcher, interest, mode)?;
        Ok((token, Pollable::poll(self, interest)))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.source().set_interest(token, interest);
        Pollable::poll(self, interest)
    }
}
