//! Signalfds: pending signals as files. Whoever asks is told about the signals that wait for *it*: the thread's own,
//! and those of its process.
//!
//! Owns: the set, and who waits.   Not here: the signals (`pending`), flags and numbers (syscall/signalfd).
//! A process that watches or waits for a signalfd is noted in a list of its own, and a signal that is queued for a
//! process tells that list: as on Linux, an epoll instance hears of the signals of those who added the signalfd. What
//! is ready depends on who asks, so nothing is kept: under every policy the pending signals are looked at.
//! Source: signalfd(2); Linux 6.1 fs/signalfd.c.

use alloc::sync::{Arc, Weak};
use core::task::Poll;

use pollee::{
    Events, NoMemory, Pollable, Readiness, ReadinessHeader, ReadinessSource, Token, WakeMode, Watcher,
};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::siginfo;
use rules::core::seek::Whence;

use super::super::process::Process;
use super::super::thread::{self, Thread};
use super::super::timer;
use super::pending::{Info, Pending};
use super::set::{SigSet, Signal};
use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};
use crate::core::file::description::OpenFile;
use crate::core::file::file::File;
use crate::machine::memory::transfer::Sink;

/// Some signals, as a file.
pub(crate) struct SignalFd {
    state: event::Locked<State>,
    me: Weak<Self>,
}

struct State {
    wanted: SigSet,
}

impl Readiness for State {
    /// Only what those who wait are told: that one of the signals came, for somebody.
    fn readiness(&self) -> Events {
        Events::IN
    }
}

/// Opens `wanted`. Of `flags` only `O_NONBLOCK` means something.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(wanted: SigSet, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let file = Arc::new_cyclic(|me| SignalFd {
        state: event::Locked::new(Class::SignalFd, State { wanted }),
        me: me.clone(),
    });
    OpenFile::new(file, AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

/// Tells those who wait for `signal` in `process`, after it was queued.
pub(super) fn tell(process: &Process, signal: Signal) {
    // The list's lock is not held while one is told, which may run through epolls.
    for at in 0.. {
        let Some(file) = process.signal_files.lock().get(at).map(Weak::upgrade) else { return };
        if let Some(file) = file {
            file.announce(signal);
        }
    }
}

impl SignalFd {
    /// Changes which signals are meant. Who waits looks again.
    pub(crate) fn set_wanted(&self, wanted: SigSet) {
        let mut state = self.state.lock();
        state.wanted = wanted;
        state.raise(Events::IN);
    }

    fn announce(&self, signal: Signal) {
        let mut state = self.state.lock();
        if state.wanted.contains(signal) {
            state.raise(Events::IN);
        }
    }

    fn wanted(&self) -> SigSet {
        self.state.read().wanted
    }

    /// Notes that somebody in the current process waits.
    fn enlist(&self) {
        let Some(thread) = thread::current() else { return };
        let mut files = thread.process().signal_files.lock();
        if files.iter().any(|other| other.ptr_eq(&self.me)) {
            return;
        }
        // The others keep their places: somebody may be telling them one by one.
        match files.iter_mut().find(|other| other.strong_count() == 0) {
            Some(gone) => *gone = self.me.clone(),
            None => files.push(self.me.clone()),
        }
    }
}

/// Gives `look` the pending signals of the thread, then those of its process, until it finds something.
fn find<R>(thread: &Thread, mut look: impl FnMut(&mut Pending) -> Option<R>) -> Option<R> {
    let mut shared = thread.process().signals.lock();
    let mut own = thread.signals.lock();
    look(&mut own.pending).or_else(|| look(&mut shared.pending))
}

/// Gives one signal to `to`, and takes it when it has arrived.
fn deliver(thread: &Thread, wanted: SigSet, to: &mut dyn Sink) -> Poll<Result<Info, Errno>> {
    let delivered = find(thread, |pending| {
        let info = pending.first(wanted)?;
        if to.put(&siginfo::record(&info.to_words())) < siginfo::RECORD_SIZE {
            return Some(Err(Errno::EFAULT));
        }
        pending.take(wanted).map(Ok)
    });
    delivered.map_or(Poll::Pending, Poll::Ready)
}

impl File for SignalFd {
    /// Gives as many signals as wait and find room, one at least.
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() < siginfo::RECORD_SIZE {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        let (Some(thread), wanted) = (thread::current(), self.wanted()) else { return Poll::Pending };
        let mut count = 0;
        while to.remaining() >= siginfo::RECORD_SIZE {
            match deliver(&thread, wanted, to) {
                Poll::Ready(Ok(info)) => {
                    if let Some((id, overrun)) = info.of_timer() {
                        timer::note_delivered(thread.process(), id, overrun);
                    }
                    count += 1;
                }
                Poll::Ready(Err(error)) if count == 0 => return Poll::Ready(Err(error)),
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(count * siginfo::RECORD_SIZE))
    }

    fn poll(&self, interest: Events) -> Events {
        Pollable::poll(self, interest)
    }

    fn watch(&self) -> Option<&event::Pollable> {
        Some(self)
    }

    /// There is no offset, but to ask for it is no error (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }
}

impl Pollable<Pollux> for SignalFd {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &self.state
    }

    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        None
    }

    /// Readable if one of the signals waits for the thread that polls.
    fn poll(&self, interest: Events) -> Events {
        let wanted = self.wanted();
        let is_ready = thread::current().is_some_and(|thread| {
            find(&thread, |pending| (!pending.signals().intersection(wanted).is_empty()).then_some(()))
                .is_some()
        });
        if is_ready { interest & Events::IN } else { Events::empty() }
    }

    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        self.enlist();
        let (token, _) = self.source().register(watcher, interest, mode)?;
        Ok((token, Pollable::poll(self, interest)))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.source().set_interest(token, interest);
        Pollable::poll(self, interest)
    }
}
