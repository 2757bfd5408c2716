//! futex(2): sleeps on a word of user memory until a wake.
//!
//! Owns: which threads sleep on which word.   Not here: arguments and the clocks of timeouts (syscall/futex).
//! A word is identified by the memory that it is in (`memory::space::identity`), so processes that share a page share
//! its futexes. A futex that the program declares private needs no lookup.
//! Lock: one for all futexes. The word is read under it: user memory may be touched there, because faults take lower
//! locks.
//!
//! # Why no wake is lost
//! ```text
//! waiter (lock held)               waker
//! read the word: as expected       change the word
//! enqueue                          lock; take waiters; unlock; wake them
//! ```
//! If the change comes before the read, the waiter sees it. If it comes after, the waker's lock comes after the
//! enqueue.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use pollee::{Sleep, Wake, WakeReason};
use rules::abi::errno::Errno;

use super::thread::CurrentThread;
use crate::core::event::parker::Unparker;
use crate::machine::memory::space::{AddressSpace, Identity};
use crate::machine::memory::user::UserAtomic;

/// Whether other address spaces may share the word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// `FUTEX_PRIVATE_FLAG`: the program promises that none does.
    Private,
    /// The memory may be shared.
    Shared,
}

/// A futex word: its memory, and the key that it is found by.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    memory: UserAtomic<'a>,
    key: Identity,
}

impl<'a> Word<'a> {
    /// Makes the word at `addr`.
    ///
    /// # Errors
    /// `EINVAL`: `addr` is not aligned. `EFAULT`: nothing is mapped there.
    pub(crate) fn new(space: &'a AddressSpace, addr: usize, scope: Scope) -> Result<Self, Errno> {
        let memory = UserAtomic::new(space, addr)?;
        let key = match scope {
            Scope::Private => space.private_identity(addr),
            Scope::Shared => space.identity(addr)?,
        };
        Ok(Self { memory, key })
    }

    /// Replaces the word's value by `change` of it and returns the old value: `FUTEX_WAKE_OP`.
    ///
    /// # Errors
    /// As [`UserAtomic::update`]; the word was not changed.
    pub(crate) fn update(&self, change: impl FnMut(u32) -> u32) -> Result<u32, Errno> {
        self.memory.update(change)
    }
}

struct Waiter {
    unparker: Arc<Unparker>,
    bits: u32,
    is_woken: AtomicBool,
    /// The word that the thread waits on; requeueing changes it.
    key: SpinLock<Identity>,
}

type FutexQueues = BTreeMap<Identity, VecDeque<Arc<Waiter>>>;

static WAITERS: SpinLock<FutexQueues> = SpinLock::new(BTreeMap::new());

/// Sleeps until a wake with one of `bits`, if the word's value is `expected`.
///
/// # Errors
/// `EAGAIN`: the value differs. `EFAULT`: the word is not readable. `ETIMEDOUT`, `EINTR`.
pub(crate) fn wait(
    thread: &CurrentThread,
    word: Word<'_>,
    expected: u32,
    bits: u32,
    deadline: Option<Duration>,
) -> Result<(), Errno> {
    let Word { memory: word, key } = word;
    // Most waits on a value that has changed end here, without the lock.
    if word.load()? != expected {
        return Err(Errno::EAGAIN);
    }
    let waiter = Arc::new(Waiter {
        unparker: thread.unparker().clone(),
        bits,
        is_woken: AtomicBool::new(false),
        key: SpinLock::new(key),
    });
    {
        let mut waiters = WAITERS.lock();
        if word.load()? != expected {
            return Err(Errno::EAGAIN);
        }
        waiters.entry(key).or_default().push_back(waiter.clone());
    }
    loop {
        if waiter.is_woken.load(Ordering::Acquire) {
            return Ok(());
        }
        let stop = if thread.is_interrupted() {
            Some(Errno::EINTR)
        } else if thread.sleep(deadline) == WakeReason::TimedOut {
            Some(Errno::ETIMEDOUT)
        } else {
            None
        };
        if let Some(errno) = stop {
            let mut waiters = WAITERS.lock();
            if waiter.is_woken.load(Ordering::Acquire) {
                return Ok(());
            }
            let key = *waiter.key.lock();
            if let Some(queue) = waiters.get_mut(&key) {
                queue.retain(|other| !Arc::ptr_eq(other, &waiter));
                if queue.is_empty() {
                    waiters.remove(&key);
                }
            }
            return Err(errno);
        }
    }
}

/// Wakes at most `most` threads that wait on the word with one of `bits`; returns how many.
pub(crate) fn wake(word: Word<'_>, most: usize, bits: u32) -> usize {
    wake_locked(&mut WAITERS.lock(), word.key, most, bits)
}

/// Wakes one thread that waits at `addr`, for a thread that ends.
pub(super) fn wake_any(space: &AddressSpace, addr: usize) {
    // Waiters may use private or shared futexes; in private memory both keys are the same.
    for scope in [Scope::Shared, Scope::Private] {
        if let Ok(word) = Word::new(space, addr, scope)
            && wake(word, 1, u32::MAX) > 0
        {
            return;
        }
    }
}

fn wake_locked(waiters: &mut FutexQueues, key: Identity, most: usize, bits: u32) -> usize {
    let Some(queue) = waiters.get_mut(&key) else { return 0 };
    let mut count = 0;
    queue.retain(|waiter| {
        if count == most || waiter.bits & bits == 0 {
            return true;
        }
        count += 1;
        waiter.is_woken.store(true, Ordering::Release);
        waiter.unparker.wake();
        false
    });
    if queue.is_empty() {
        waiters.remove(&key);
    }
    count
}

/// Wakes at most `most` waiters at `from` and moves at most `moved` others to `to`, if the word at `from` is
/// `expected`; returns how many were woken or moved.
///
/// # Errors
/// No thread was woken or moved. `EAGAIN`: the value differs. `EFAULT`: the word is not readable.
pub(crate) fn requeue(
    from: Word<'_>,
    most: usize,
    to: Word<'_>,
    moved: usize,
    expected: Option<u32>,
) -> Result<usize, Errno> {
    let mut waiters = WAITERS.lock();
    if let Some(expected) = expected
        && from.memory.load()? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = wake_locked(&mut waiters, from.key, most, u32::MAX);
    if from.key == to.key {
        let waiting = waiters.get(&to.key).map_or(0, VecDeque::len);
        return Ok(woken + moved.min(waiting));
    }
    let Some(queue) = waiters.get_mut(&from.key) else { return Ok(woken) };
    let moving: VecDeque<_> = queue.drain(..moved.min(queue.len())).collect();
    if queue.is_empty() {
        waiters.remove(&from.key);
    }
    let count = moving.len();
    for waiter in moving {
        *waiter.key.lock() = to.key;
        waiters.entry(to.key).or_default().push_back(waiter);
    }
    Ok(woken + count)
}
