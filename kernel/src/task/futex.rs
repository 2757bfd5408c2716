//! futex(2): sleeping on a word of user memory until somebody says that it changed.
//!
//! Owns: who sleeps on which word.   Not here: arguments and timeouts' clocks (syscall/futex).
//! Threads meet at the identity of the memory: an address of an address space, or a place in an object that others
//! may have mapped, too.
//! Locks: a bucket's, under which the word is read: user memory may be touched there, faults take lower locks.
//!
//! # Why no wake is lost
//! ```text
//! waiter (bucket lock held)        waker
//! read the word: as expected       change the word
//! enqueue                          lock the bucket; take waiters; unlock; wake them
//! ```
//! A change before the read is seen by it; a change after it is followed by a lock that comes after the enqueue.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use model::abi::errno::Errno;
use ostd::sync::SpinLock;

use super::thread::Thread;
use crate::event::parker::Parker;
use crate::event::wait::{Sleep, Wake};
use crate::memory::space::{AddressSpace, Identity};
use crate::memory::user::UserAtomic;

/// Who may use the word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// The threads of one process; `FUTEX_PRIVATE_FLAG`.
    Private,
    /// All who have the memory mapped.
    Shared,
}

/// A word of a program.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) space: &'a AddressSpace,
    pub(crate) addr: usize,
    pub(crate) scope: Scope,
}

impl Word<'_> {
    /// # Errors
    /// `EINVAL`: not aligned. `EFAULT`: a shared word that is not mapped.
    fn key(self) -> Result<Key, Errno> {
        if !self.addr.is_multiple_of(size_of::<u32>()) {
            return Err(Errno::EINVAL);
        }
        match self.scope {
            Scope::Private => Ok(self.space.private_identity(self.addr)),
            Scope::Shared => self.space.identity(self.addr),
        }
    }

    fn value(self) -> Result<u32, Errno> {
        UserAtomic::new(self.space, self.addr)?.load()
    }
}

type Key = Identity;

struct Waiter {
    parker: Arc<Parker>,
    bits: u32,
    is_woken: AtomicBool,
    /// Where it waits now; requeueing changes it.
    key: SpinLock<Key>,
}

type Bucket = BTreeMap<Key, VecDeque<Arc<Waiter>>>;

static WAITERS: SpinLock<Bucket> = SpinLock::new(BTreeMap::new());

/// Sleeps until woken with one of `bits`, if the word is `expected`.
///
/// # Errors
/// `EAGAIN`: it is not. `EFAULT`, `EINVAL`: no aligned readable word. `ETIMEDOUT`, `EINTR`.
pub(crate) fn wait(
    thread: &Thread,
    word: Word<'_>,
    expected: u32,
    bits: u32,
    deadline: Option<Duration>,
) -> Result<(), Errno> {
    // Faulted in before the lock is held.
    word.value()?;
    let key = word.key()?;
    let waiter = Arc::new(Waiter {
        parker: thread.parker().clone(),
        bits,
        is_woken: AtomicBool::new(false),
        key: SpinLock::new(key),
    });
    {
        let mut waiters = WAITERS.lock();
        if word.value()? != expected {
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
        } else if thread.sleep(deadline) == Wake::TimedOut {
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

/// Wakes up to `most` who wait at the word with one of `bits`; returns how many. The word is not read.
///
/// # Errors
/// `EINVAL`: not aligned. `EFAULT`: a shared word that is not mapped.
pub(crate) fn wake(word: Word<'_>, most: usize, bits: u32) -> Result<usize, Errno> {
    let key = word.key()?;
    let mut waiters = WAITERS.lock();
    let Some(queue) = waiters.get_mut(&key) else { return Ok(0) };
    let mut count = 0;
    queue.retain(|waiter| {
        if count == most || waiter.bits & bits == 0 {
            return true;
        }
        count += 1;
        waiter.is_woken.store(true, Ordering::Release);
        waiter.parker.unpark();
        false
    });
    if queue.is_empty() {
        waiters.remove(&key);
    }
    Ok(count)
}

/// Wakes up to `most` at a word and lets up to `moved` others wait at `to`, if the word is `expected`. Returns how
/// many these are together.
///
/// # Errors
/// `EAGAIN`: it is not. `EFAULT`, `EINVAL`.
pub(crate) fn requeue(
    word: Word<'_>,
    most: usize,
    to: Word<'_>,
    moved: usize,
    expected: Option<u32>,
) -> Result<usize, Errno> {
    let (from, to) = (word.key()?, to.key()?);
    if let Some(expected) = expected
        && word.value()? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = wake(word, most, u32::MAX)?;
    if from == to {
        return Ok(woken);
    }
    let mut waiters = WAITERS.lock();
    let Some(queue) = waiters.get_mut(&from) else { return Ok(woken) };
    let moving: VecDeque<_> = queue.drain(..moved.min(queue.len())).collect();
    if queue.is_empty() {
        waiters.remove(&from);
    }
    let count = moving.len();
    for waiter in moving {
        *waiter.key.lock() = to;
        waiters.entry(to).or_default().push_back(waiter);
    }
    Ok(woken + count)
}
