//! The timers of connections: retransmissions, delayed acknowledgments, timeouts.
//!
//! Owns: the task that serves the timers, and a queue of times. A timer that moves to a later time is not moved in
//! the queue: when the entry expires, the connection gives its next time. So most packets touch neither the queue nor
//! its lock. One that moves to an earlier time takes its entry with it.
//! Invariant: a connection has at most one entry, which a program pays for with the connection.
//!
//! # Why no time is missed
//! ```text
//! connection                           this task
//! wants `at`; `armed` is not later     take the entry; `armed` = never
//!   → leave it                         lock the connection; ask what it wants; arm that
//! ```
//! A change that leaves an earlier entry in place precedes the moment when the task takes the entry, or at least when
//! it locks the connection.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use rules::abi::errno::Errno;

use super::endpoint::Endpoint;
use super::{demux, impairment};
use crate::core::event::rank::{Rank, Ranked};
use crate::machine::clock;
use crate::machine::kernel_task::{KernelTask, Sleeper, Urgency};

/// No timer.
const NEVER: u64 = u64::MAX;

/// The key of an endpoint's entry in the queue. Both change under the queue's lock.
pub(crate) struct Armed {
    time: AtomicU64,
    number: AtomicU64,
}

struct Queue {
    /// By time in nanoseconds and a number of their own.
    entries: BTreeMap<(u64, u64), Weak<Endpoint>>,
    next: u64,
}

static QUEUE: Ranked<Queue> = Ranked::new(Rank::Interface, Queue { entries: BTreeMap::new(), next: 0 });
static SERVER: KernelTask = KernelTask::new(Urgency::Soon);

impl Armed {
    pub(crate) const fn new() -> Self {
        Self { time: AtomicU64::new(NEVER), number: AtomicU64::new(0) }
    }
}

/// Has the timers of `endpoint` served at `at` or earlier.
pub(crate) fn arm(endpoint: &Arc<Endpoint>, at: Duration) {
    let Armed { time, number } = endpoint.armed();
    let at = u64::try_from(at.as_nanos()).unwrap_or(NEVER - 1);
    if time.load(Ordering::Acquire) <= at {
        return;
    }
    let (is_first, later) = {
        let mut queue = QUEUE.lock();
        let before = time.load(Ordering::Relaxed);
        if before <= at {
            return;
        }
        let later = queue.entries.remove(&(before, number.load(Ordering::Relaxed)));
        queue.next += 1;
        let key = (at, queue.next);
        number.store(queue.next, Ordering::Relaxed);
        time.store(at, Ordering::Release);
        let is_first = queue.entries.first_key_value().is_none_or(|(first, _)| key < *first);
        // Bounded: one entry for each connection, which was granted.
        queue.entries.insert(key, Arc::downgrade(endpoint));
        (is_first, later)
    };
    drop(later);
    if is_first {
        wake();
    }
}

/// Returns when the timers of `endpoint` are served next.
pub(crate) fn next(endpoint: &Endpoint) -> Option<Duration> {
    let time = endpoint.armed().time.load(Ordering::Relaxed);
    (time != NEVER).then(|| Duration::from_nanos(time))
}

/// Has the task compute its next deadline again.
pub(crate) fn wake() {
    SERVER.wake();
}

/// Starts the task.
///
/// # Errors
/// `ENOMEM`: no memory for a task.
pub(crate) fn start() -> Result<(), Errno> {
    SERVER.spawn(serve)
}

fn serve(sleeper: &Sleeper) {
    loop {
        let now = clock::now();
        let until = [run(), demux::expire(now), impairment::expire(now)].into_iter().flatten().min();
        clock::timer::sleep_until(sleeper, until);
    }
}

/// Serves the endpoints that are due, and returns when the next one is.
fn run() -> Option<Duration> {
    loop {
        let due = {
            let mut queue = QUEUE.lock();
            let first = queue.entries.first_entry()?;
            let at = Duration::from_nanos(first.key().0);
            if at > clock::now() {
                return Some(at);
            }
            let due = first.remove().upgrade();
            if let Some(endpoint) = &due {
                endpoint.armed().time.store(NEVER, Ordering::Release);
            }
            due
        };
        if let Some(endpoint) = due {
            endpoint.settle();
        }
    }
}
