//! A registration that stands from one wait to the next.
//!
//! A program that waits with poll(2) asks for the same files again and again. A registration that ended with each wait
//! would be made anew for each: two list operations a file, which cost more than everything else together. A standing
//! one ends with the file. What begins and ends with the wait is one word of the thread: the round that it waits in.
//!
//! Owns: rounds, and who is rung.   Not here: the list (`watchers`), for how long a file is kept open.
//! Invariant: `waits` is 0 or the round of the wait that the bell's thread is in.
//!
//! # Why no wake is lost
//! ```text
//! waiter                                changer
//! waits = 7
//! standing.round = 7                    change; publish: RMW on the word
//! fence                                 fence
//! look at the word: not ready; sleep    standing.round = 7, as waits: wake
//! ```
//! The waiter was registered before, so the word has its interest, and every change comes to the right column. There
//! the two store and then load what the other stores, with a fence in between: one of them sees the other. If the
//! word is not cached, the owner's lock, which both take, orders them as well.
//!
//! A file that was left out of the present wait has an older round, and rings nobody.
//!
//! Why: decision 0055.

use alloc::sync::Arc;
use core::fmt;

use crate::fault::{self, Fault};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::watch::{NoMemory, Share, Token, Watch};
use crate::{Events, Host, Watcher};

/// What files ring to wake a thread that waits for many of them; the thread's own.
pub struct Bell<H: Host> {
    rope: Arc<Rope<H>>,
    round: u64,
}

/// What files hold of a bell.
struct Rope<H: Host> {
    waits: AtomicU64,
    task: H::Task,
}

/// A place in the list of one file, for one thread and all its waits.
pub struct Standing<H: Host> {
    rope: Arc<Rope<H>>,
    /// The last wait that the file was part of.
    round: AtomicU64,
    interest: AtomicU64,
    token: AtomicU64,
}

impl<H: Host> Bell<H> {
    /// A bell for `task`.
    pub fn new(task: H::Task) -> Self {
        Self { rope: Arc::new(Rope { waits: AtomicU64::new(0), task }), round: 0 }
    }

    /// Begins a wait; until [`end`](Self::end), a change of a file that is [part](Standing::keep) of it wakes the
    /// thread.
    pub fn begin(&mut self) {
        self.round += 1;
        self.arm();
    }

    /// Listens again, after a wake and before each further look at the files: a bell rings once.
    pub fn arm(&self) {
        self.rope.waits.store(self.round, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Ends the wait. A wake that is under way may still arrive.
    pub fn end(&self) {
        self.rope.waits.store(0, Ordering::Relaxed);
    }
}

impl<H: Host> Standing<H> {
    /// Registers with `file`, as part of the present wait of `bell`, and then gives the readiness.
    ///
    /// # Errors
    /// [`NoMemory`]; nothing was registered.
    pub fn begin<W: Watch<H> + ?Sized>(
        file: &W,
        bell: &Bell<H>,
        interest: Events,
    ) -> Result<(Arc<Self>, Events), NoMemory> {
        let standing = Arc::new(Self {
            rope: Arc::clone(&bell.rope),
            round: AtomicU64::new(bell.round),
            interest: AtomicU64::new(interest.bits().into()),
            token: AtomicU64::new(0),
        });
        let (token, ready) = file.register(Watcher::Standing(Arc::clone(&standing)), interest, Share::All)?;
        standing.token.store(token.0.into(), Ordering::Relaxed);
        Ok((standing, ready))
    }

    /// Makes the file, with which it was begun, part of the present wait of `bell`; `false` if it stands for another.
    /// `file` gives that file, where the interest is not what it was.
    ///
    /// The file's readiness must be looked at after this.
    #[inline]
    pub fn keep<'a, W: Watch<H> + ?Sized + 'a>(
        &self,
        file: impl FnOnce() -> &'a W,
        bell: &Bell<H>,
        interest: Events,
    ) -> bool {
        if !Arc::ptr_eq(&self.rope, &bell.rope) {
            return false;
        }
        // Nobody else writes these: there is one bell to the rope, and who calls has it.
        let is_again = self.round.load(Ordering::Relaxed) == bell.round;
        if !fault::is_seeded(Fault::NoRound) {
            self.round.store(bell.round, Ordering::Relaxed);
        }
        let before = self.interest.load(Ordering::Relaxed);
        let mut wanted = u64::from(interest.bits());
        if is_again {
            wanted |= before;
        }
        if wanted != before {
            self.interest.store(wanted, Ordering::Relaxed);
            file().set_interest(&self.token(), Events::from_bits_truncate(wanted as u16));
        }
        if !fault::is_seeded(Fault::NoFence) {
            fence(Ordering::SeqCst);
        }
        true
    }

    /// Ends the registration with the file with which it was begun. To be called once, when nobody keeps it any more.
    pub fn end<W: Watch<H> + ?Sized>(&self, file: &W) {
        drop(file.unregister(self.token()));
    }

    /// The task to wake, if it waits for this file; it is told once. After a change is published.
    pub(crate) fn ring(&self) -> Option<&H::Task> {
        fence(Ordering::SeqCst);
        let round = self.round.load(Ordering::Relaxed);
        let rung = self.rope.waits.compare_exchange(round, 0, Ordering::Relaxed, Ordering::Relaxed);
        rung.is_ok().then_some(&self.rope.task)
    }

    fn token(&self) -> Token {
        Token(self.token.load(Ordering::Relaxed) as u32)
    }
}

impl<H: Host> Drop for Bell<H> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<H: Host> fmt::Debug for Bell<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("round", &self.round).finish_non_exhaustive()
    }
}
