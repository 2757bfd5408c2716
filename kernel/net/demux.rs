//! Demultiplexing: which connection a packet is for.
//!
//! Owns: the table of tuples, and with it the connections whose socket is closed.
//! Locks: one for each of the [`SHARDS`] parts of the table (rank 4), held for a lookup.
//! Invariant: `ports` counts each tuple of the table.
//! Why: decision 0040.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use rules::abi::errno::Errno;
use rules::machine::fallible;
use rules::net::tcp::port::Sharing;
use rules::net::tcp::segment::Tuple;
use rules::net::tcp::time_wait::{self, TimeWait};
use spin::Once;

use super::endpoint::Endpoint;
use super::{ports, timer};
use crate::core::event::rank::{Rank, Ranked, RankedGuard};
use crate::machine::memory::budget;
use crate::machine::random;

const SHARDS: usize = 64;

/// What a tuple belongs to.
#[derive(Clone)]
pub(crate) enum TupleOwner {
    /// A connection.
    Endpoint(Arc<Endpoint>),
    /// A request for a connection, which this listener has.
    Request(Arc<Endpoint>),
    /// The rest of a connection, in TIME_WAIT.
    TimeWait(TimeWait),
}

struct Entry {
    found: TupleOwner,
    sharing: Sharing,
}

type Shard = HashMap<Tuple, Entry, FixedState>;

struct TupleTable {
    shards: [Ranked<Shard>; SHARDS],
    hasher: FixedState,
}

static TABLE: Once<TupleTable> = Once::new();

/// Tuples in TIME_WAIT, in the order in which they end: all wait equally long.
static WAITING: Ranked<VecDeque<(Duration, Tuple)>> = Ranked::new(Rank::Interface, VecDeque::new());

fn table() -> &'static TupleTable {
    TABLE.call_once(|| {
        let hasher = FixedState::with_seed(random::word());
        let shard = |_| Ranked::new(Rank::Interface, HashMap::with_hasher(hasher.clone()));
        TupleTable { shards: core::array::from_fn(shard), hasher }
    })
}

/// Returns a keyed hash of the tuple, which a remote host cannot predict.
pub(crate) fn hash(tuple: &Tuple) -> usize {
    table().hasher.hash_one(tuple) as usize
}

fn shard(tuple: &Tuple) -> RankedGuard<'static, Shard> {
    // The map itself uses the low bits and the highest bits.
    table().shards[(hash(tuple) >> 40) % SHARDS].lock()
}

/// Returns what `tuple` belongs to.
pub(crate) fn find(tuple: &Tuple) -> Option<TupleOwner> {
    shard(tuple).get(tuple).map(|entry| entry.found.clone())
}

/// Copies the table.
///
/// # Errors
/// `ENOMEM`: it is too large.
pub(crate) fn all() -> Result<Vec<(Tuple, TupleOwner)>, Errno> {
    let mut all = Vec::new();
    for shard in &table().shards {
        let expected = shard.lock().len();
        fallible::reserve(&mut all, expected)?;
        // The lock forbids allocating, so entries that came meanwhile are left out.
        let shard = shard.lock();
        all.extend(shard.iter().take(expected).map(|(tuple, entry)| (*tuple, entry.found.clone())));
    }
    Ok(all)
}

/// Enters `found` as the owner of `tuple`, which gets its packets from now on.
///
/// # Errors
/// Nothing was entered. `EADDRNOTAVAIL`: the tuple is taken. `ENOBUFS`: no memory.
pub(crate) fn insert(tuple: Tuple, found: TupleOwner, sharing: Sharing, now: Duration) -> Result<(), Errno> {
    let replaced = {
        let mut shard = shard(&tuple);
        let is_taken = shard.get(&tuple).is_some_and(|entry| match &entry.found {
            TupleOwner::Endpoint(_) | TupleOwner::Request(_) => true,
            TupleOwner::TimeWait(rest) => !rest.is_reusable(now),
        });
        if is_taken {
            return Err(Errno::EADDRNOTAVAIL);
        }
        fallible::reserve(&mut *shard, 1).map_err(|_| Errno::ENOBUFS)?;
        shard.insert(tuple, Entry { found, sharing })
    };
    let mut ports = ports::lock();
    ports.connect(tuple.local.port(), sharing);
    if let Some(replaced) = replaced {
        ports.disconnect(tuple.local.port(), replaced.sharing);
    }
    Ok(())
}

/// Removes `endpoint`, which needs no more packets.
pub(crate) fn remove(tuple: &Tuple, endpoint: &Arc<Endpoint>) {
    let is_same =
        |entry: &Entry| matches!(&entry.found, TupleOwner::Endpoint(found) if Arc::ptr_eq(found, endpoint));
    remove_if(tuple, is_same);
}

/// Removes a request of `listener`.
pub(crate) fn withdraw(tuple: &Tuple, listener: &Arc<Endpoint>) {
    remove_if(tuple, |entry| is_request_of(entry, listener));
}

/// Replaces a request of `listener` by its connection.
pub(crate) fn promote(tuple: &Tuple, listener: &Arc<Endpoint>, endpoint: &Arc<Endpoint>) {
    let mut shard = shard(tuple);
    if let Some(entry) = shard.get_mut(tuple).filter(|entry| is_request_of(entry, listener)) {
        entry.found = TupleOwner::Endpoint(endpoint.clone());
    }
}

fn is_request_of(entry: &Entry, listener: &Arc<Endpoint>) -> bool {
    matches!(&entry.found, TupleOwner::Request(found) if Arc::ptr_eq(found, listener))
}

/// Removes a connection in TIME_WAIT.
pub(crate) fn forget(tuple: &Tuple, rest: &TimeWait) {
    remove_if(tuple, |entry| matches!(&entry.found, TupleOwner::TimeWait(found) if found == rest));
}

fn remove_if(tuple: &Tuple, is_meant: impl FnOnce(&Entry) -> bool) {
    let removed = {
        let mut shard = shard(tuple);
        if shard.get(tuple).is_some_and(is_meant) { shard.remove(tuple) } else { None }
    };
    if let Some(entry) = removed {
        ports::lock().disconnect(tuple.local.port(), entry.sharing);
    }
}

/// Replaces `endpoint` by what answers late packets, or removes it if too many connections are in TIME_WAIT.
pub(crate) fn retire(tuple: &Tuple, endpoint: &Arc<Endpoint>, rest: TimeWait) {
    let Some(is_first) = wait(tuple, &rest) else {
        return remove(tuple, endpoint);
    };
    let _replaced = {
        let mut shard = shard(tuple);
        match shard.get_mut(tuple) {
            Some(entry) if matches!(&entry.found, TupleOwner::Endpoint(found) if Arc::ptr_eq(found, endpoint)) => {
                Some(core::mem::replace(&mut entry.found, TupleOwner::TimeWait(rest)))
            }
            _ => None,
        }
    };
    if is_first {
        timer::wake();
    }
}

/// Queues the end of `rest`, and returns whether it is the first. `None`: too many wait (tuples that were reopened
/// count, too).
fn wait(tuple: &Tuple, rest: &TimeWait) -> Option<bool> {
    let mut waiting = WAITING.lock();
    if waiting.len() >= time_wait::most(budget::total()) || waiting.try_reserve(1).is_err() {
        return None;
    }
    waiting.push_back((rest.end(), *tuple));
    Some(waiting.len() == 1)
}

/// Removes connections whose TIME_WAIT is over, and returns when the next one ends.
pub(crate) fn expire(now: Duration) -> Option<Duration> {
    loop {
        let tuple = {
            let mut waiting = WAITING.lock();
            let &(end, tuple) = waiting.front()?;
            if end > now {
                return Some(end);
            }
            waiting.pop_front();
            tuple
        };
        // Another connection may own the tuple by now.
        remove_if(&tuple, |entry| matches!(&entry.found, TupleOwner::TimeWait(rest) if rest.end() <= now));
    }
}
