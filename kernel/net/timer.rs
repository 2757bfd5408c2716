//! When connections want to be looked at: retransmissions, delayed acknowledgments, the end of patience.
//!
//! Owns: the task that does it, and a queue of times. A time that is put off is not moved: when it comes, the
//! connection says its next one. So most packets touch neither the queue nor its lock.
//!
//! # Why no time is missed
//! ```text
//! connection                           this task
//! wants `at`; `armed` is not later     take the entry; `armed` = never
//!   → leave it                         lock the connection; ask what it wants; arm that
//! ```
//! Whoever leaves an earlier entry in place has changed the connection before that; the entry is taken later, or its
//! taker has still to lock the connection.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use rules::abi::errno::Errno;

use super::endpoint::Endpoint;
use super::{demux, impairment};
use crate::core::event::rank::{Rank, Ranked};
use crate::machine::clock;
use crate::machine::kernel_task::{KernelTask, Sleeper};

/// No time at all.
const NEVER: u64 = u64::MAX;

/// The time for which an endpoint is in the queue.
pub(crate) struct Armed(AtomicU64);

struct Queue {
    entries: BTreeMap<(Duration, u64), Weak<Endpoint>>,
    next: u64,
}

static QUEUE: Ranked<Queue> = Ranked::new(Rank::Interface, Queue { entries: BTreeMap::new(), next: 0 });
static SERVER: KernelTask = KernelTask::new();

impl Armed {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

/// Lets `endpoint` be looked at no later than `at`.
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

/// When `endpoint` is looked at next.
pub(crate) fn next(endpoint: &Endpoint) -> Option<Duration> {
    let time = endpoint.armed().0.load(Ordering::Relaxed);
    (time != NEVER).then(|| Duration::from_nanos(time))
}

/// Lets the task look again at when it is wanted.
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

/// Looks at whoever is due, and says when the next is.
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
