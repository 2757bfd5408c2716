//! The timers of connections: retransmissions, delayed acknowledgments, timeouts.
//!
//! Owns: the task that serves the timers, and a queue of times. A timer that moves to a later time is not moved in
//! the queue: when the entry expires, the connection gives its next time. So most packets touch neither the queue nor
//! its lock.
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

/// The time of an endpoint's entry in the queue.
pub(crate) struct Armed(AtomicU64);

struct Queue {
    entries: BTreeMap<(Duration, u64), Weak<Endpoint>>,
    next: u64,
}

static QUEUE: Ranked<Queue> = Ranked::new(Rank::Interface, Queue { entries: BTreeMap::new(), next: 0 });
static SERVER: KernelTask = KernelTask::new(Urgency::Soon);

impl Armed {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

/// Has the timers of `endpoint` served at `at` or earlier.
pub(crate) fn arm(endpoint: &Arc<Endpoint>, at: Duration) {
    let armed = &endpoint.armed().0;
    let time = u64::try_from(at.as_nanos()).unwrap_or(NEVER - 1);
    if armed.fetch_min(time, Ordering::AcqRel) <= time {
        return;
    }
    let is_first = {
        let mut queue = QUEUE.lock();
        queue.next += 1;
        let key = (at, queue.next);
        let is_first = queue.entries.first_key_value().is_none_or(|(first, _)| key < *first);
        queue.entries.insert(key, Arc::downgrade(endpoint));
        is_first
    };
    if is_first {
        wake();
    }
}

/// Returns when the timers of `endpoint` are served next.
pub(crate) fn next(endpoint: &Endpoint) -> Option<Duration> {
    let time = endpoint.armed().0.load(Ordering::Relaxed);
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
            if first.key().0 > clock::now() {
                return Some(first.key().0);
            }
            first.remove()
        };
        if let Some(endpoint) = due.upgrade() {
            endpoint.armed().0.store(NEVER, Ordering::Release);
            endpoint.settle();
        }
    }
}
