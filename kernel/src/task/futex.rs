//! futex(2): sleeping on a word of user memory until somebody says that it changed.
//!
//! Owns: who sleeps on which word.   Not here: arguments and timeouts' clocks (syscall/futex).
//! A private and a shared futex are the same here: the key is the address space and the address. Memory shared
//! between processes is found by address space only, so a futex in it wakes within one process.
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
use crate::memory::space::AddressSpace;
use crate::memory::user::UserAtomic;

/// Which word: its address space's identity, and its address.
type Key = (usize, usize);

struct Waiter {
    parker: Arc<Parker>,
    bits: u32,
    is_woken: AtomicBool,
    /// Where it waits now; requeueing changes it.
    key: SpinLock<Key>,
}

type Bucket = BTreeMap<Key, VecDeque<Arc<Waiter>>>;

static WAITERS: SpinLock<Bucket> = SpinLock::new(BTreeMap::new());

fn key(space: &AddressSpace, addr: usize) -> Key {
    (core::ptr::from_ref(space).addr(), addr)
}

/// Sleeps until woken with one of `bits`, if the word at `addr` is `expected`.
///
/// # Errors
/// `EAGAIN`: it is not. `EFAULT`, `EINVAL`: no aligned readable word. `ETIMEDOUT`, `EINTR`.
pub(crate) fn wait(
    thread: &Thread,
    addr: usize,
    expected: u32,
    bits: u32,
    deadline: Option<Duration>,
) -> Result<(), Errno> {
    let space = thread.process().space();
    let word = UserAtomic::new(&space, addr)?;
    let key = key(&space, addr);
    // Faulted in before the lock is held.
    word.load()?;
    let waiter = Arc::new(Waiter {
        parker: thread.parker().clone(),
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

/// Wakes up to `most` who wait at `addr` with one of `bits`; returns how many.
pub(crate) fn wake(space: &AddressSpace, addr: usize, most: usize, bits: u32) -> usize {
    let mut waiters = WAITERS.lock();
    let key = key(space, addr);
    let Some(queue) = waiters.get_mut(&key) else { return 0 };
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
    count
}

/// Wakes up to `most` at `addr` and lets up to `moved` others wait at `to`, if the word is `expected`.
///
/// # Errors
/// `EAGAIN`: it is not. `EFAULT`, `EINVAL`.
pub(crate) fn requeue(
    space: &AddressSpace,
    addr: usize,
    most: usize,
    to: usize,
    moved: usize,
    expected: Option<u32>,
) -> Result<usize, Errno> {
    let word = UserAtomic::new(space, addr)?;
    UserAtomic::new(space, to)?.load()?;
    if let Some(expected) = expected
        && word.load()? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = wake(space, addr, most, u32::MAX);
    let (from, to) = (key(space, addr), key(space, to));
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
