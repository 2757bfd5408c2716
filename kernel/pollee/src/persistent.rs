//! A registration that persists from one wait to the next.
//!
//! Why: decision 0055.
//!
//! A program that waits with poll(2) waits for the same files again and again. A registration that ended with each
//! wait would cost two list operations a file, more than everything else together. A persistent one ends with the
//! file. What begins and ends with the wait is one word of the thread: the epoch, a number for each wait.
//!
//! Owns: epochs, and which registrations wake.   Not here: the list (`watchers`), how long a file is kept open.
//! Invariant: `waits_in` is 0 or the epoch of the wait that the thread is in.
//!
//! # Why no wake is lost
//! ```text
//! waiter                                changer
//! waits_in = 7
//! registration.epoch = 7                change; notify_events: RMW on the word
//! fence                                 fence
//! look at the word: not ready; sleep    registration.epoch = 7, as waits_in: wake
//! ```
//! The waiter was registered before, so the word has its interest, and every change comes to the right column. There
//! the two store and then load what the other stores, with a fence in between: one of them sees the other. If the
//! word is not cached, the owner's lock, which both take, orders them as well.
//!
//! A file that was left out of the present wait has an older epoch, and wakes no thread.

use alloc::sync::Arc;
use core::fmt;

use crate::fault::{self, Fault};
use crate::pollable::Pollable;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::{Events, Host};

/// The waits of one thread for many files, each wait an epoch. The thread's own.
pub struct WaitEpochs<H: Host> {
    waiter: Arc<Waiter<H>>,
    epoch: u64,
}

/// The thread, as its registrations know it.
struct Waiter<H: Host> {
    waits_in: AtomicU64,
    task: H::Task,
}

/// A place in the list of one file, for one thread and all its waits.
pub struct PersistentRegistration<H: Host> {
    waiter: Arc<Waiter<H>>,
    /// The last wait that the file was part of.
    epoch: AtomicU64,
    interest: AtomicU64,
    /// The token, packed; [`ENDED`] without one.
    token: AtomicU64,
}

/// No token: not registered yet, or no longer.
const ENDED: u64 = u64::MAX;

impl<H: Host> WaitEpochs<H> {
    /// The waits of `task`.
    pub fn new(task: H::Task) -> Self {
        Self { waiter: Arc::new(Waiter { waits_in: AtomicU64::new(0), task }), epoch: 0 }
    }

    /// Begins a wait; until [`end`](Self::end), a change of a file that [joined](PersistentRegistration::join) it
    /// wakes the thread.
    pub fn begin(&mut self) {
        self.epoch += 1;
        self.rearm();
    }

    /// Lets the wait be ended by a change again: one change uses it up. After a wake, before each further look at the
    /// files.
    pub fn rearm(&self) {
        self.waiter.waits_in.store(self.epoch, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Ends the wait. A wake that is under way may still arrive.
    pub fn end(&self) {
        self.waiter.waits_in.store(0, Ordering::Relaxed);
    }
}

impl<H: Host> PersistentRegistration<H> {
    /// Registers with `file`, as part of the present wait of `epochs`, and then gives the readiness.
    ///
    /// # Errors
    /// [`NoMemory`]; nothing was registered.
    pub fn register<W: Pollable<H> + ?Sized>(
        file: &W,
        epochs: &WaitEpochs<H>,
        interest: Events,
    ) -> Result<(Arc<Self>, Events), NoMemory> {
        let registration = Arc::new(Self {
            waiter: Arc::clone(&epochs.waiter),
            epoch: AtomicU64::new(epochs.epoch),
            interest: AtomicU64::new(interest.bits().into()),
            token: AtomicU64::new(ENDED),
        });
        let watcher = Watcher::PersistentRegistration(Arc::clone(&registration));
        let (token, ready) = file.register(watcher, interest, WakeMode::All)?;
        registration.token.store(pack(&token), Ordering::Relaxed);
        Ok((registration, ready))
    }

    /// Makes the file part of the present wait of `epochs`; `false` if the registration is another thread's.
    /// `file` gives the file with which it was registered, where the interest has to be changed.
    ///
    /// The file's readiness must be looked at after this.
    #[inline]
    pub fn join<'a, W: Pollable<H> + ?Sized + 'a>(
        &self,
        file: impl FnOnce() -> &'a W,
        epochs: &WaitEpochs<H>,
        interest: Events,
    ) -> bool {
        if !Arc::ptr_eq(&self.waiter, &epochs.waiter) {
            return false;
        }
        // Only this thread writes these: there is one `WaitEpochs` to the waiter, and the caller has it.
        let is_again = self.epoch.load(Ordering::Relaxed) == epochs.epoch;
        if !fault::is_seeded(Fault::NoEpoch) {
            self.epoch.store(epochs.epoch, Ordering::Relaxed);
        }
        let before = self.interest.load(Ordering::Relaxed);
        let mut wanted = u64::from(interest.bits());
        if is_again {
            wanted |= before;
        }
        if wanted != before {
            self.interest.store(wanted, Ordering::Relaxed);
            if let Some(token) = unpack(self.token.load(Ordering::Relaxed)) {
                file().set_interest(&token, Events::from_bits_truncate(wanted as u16));
            }
        }
        if !fault::is_seeded(Fault::NoFence) {
            fence(Ordering::SeqCst);
        }
        true
    }

    /// Ends the registration with `file`, with which it was registered. To be called when it joins no more waits; a
    /// second call does nothing.
    pub fn unregister<W: Pollable<H> + ?Sized>(&self, file: &W) {
        if let Some(token) = unpack(self.token.swap(ENDED, Ordering::Relaxed)) {
            drop(file.unregister(token));
        }
    }

    /// The task to wake, if it waits for this file; given once for each wait. After `notify_events`.
    pub(crate) fn claim_wake(&self) -> Option<&H::Task> {
        fence(Ordering::SeqCst);
        let epoch = self.epoch.load(Ordering::Relaxed);
        let claimed = self.waiter.waits_in.compare_exchange(epoch, 0, Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok().then_some(&self.waiter.task)
    }
}

const fn pack(token: &Token) -> u64 {
    (token.generation as u64) << 32 | token.index as u64
}

fn unpack(token: u64) -> Option<Token> {
    (token != ENDED).then_some(Token { index: token as u32, generation: (token >> 32) as u16 })
}

impl<H: Host> Drop for WaitEpochs<H> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<H: Host> fmt::Debug for WaitEpochs<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitEpochs").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
