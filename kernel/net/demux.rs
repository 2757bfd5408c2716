//! Which connection a packet is for.
//!
//! Owns: the table of tuples, and the connections themselves when nobody has them open any more.
//! Locks: one for each of the [`SHARDS`] parts of the table (rank 4), held for a look-up.
//! Invariant: a tuple is counted in `ports` as long as it is in here.
//! Why: decision 0040.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use rules::abi::errno::Errno;
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

/// What a tuple stands for.
#[derive(Clone)]
pub(crate) enum TupleOwner {
    /// A connection.
    Endpoint(Arc<Endpoint>),
    /// What may become one, which this listener has.
    Request(Arc<Endpoint>),
    /// What is left of one.
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

/// A number that follows from the tuple, in a way that nobody outside can know.
pub(crate) fn hash(tuple: &Tuple) -> usize {
    table().hasher.hash_one(tuple) as usize
}

fn shard(tuple: &Tuple) -> RankedGuard<'static, Shard> {
    // The map itself uses the low and the very highest bits.
    table().shards[(hash(tuple) >> 40) % SHARDS].lock()
}

/// What `tuple` stands for.
pub(crate) fn find(tuple: &Tuple) -> Option<TupleOwner> {
    shard(tuple).get(tuple).map(|entry| entry.found.clone())
}

/// Everything that is in the table.
///
/// # Errors
/// `ENOMEM`: it is too much.
pub(crate) fn all() -> Result<Vec<(Tuple, TupleOwner)>, Errno> {
    let mut all = Vec::new();
    for shard in &table().shards {
        let expected = shard.lock().len();
        all.try_reserve(expected).map_err(|_| Errno::ENOMEM)?;
        // Nothing is allocated under the lock: what has come meanwhile is left out.
        let shard = shard.lock();
        all.extend(shard.iter().take(expected).map(|(tuple, entry)| (*tuple, entry.found.clone())));
    }
    Ok(all)
}

/// Lets packets for `tuple` reach what is `found` there.
///
/// # Errors
/// `EADDRNOTAVAIL`: the tuple is taken. `ENOBUFS`: no memory.
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
        shard.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        shard.insert(tuple, Entry { found, sharing })
    };
    let mut ports = ports::lock();
    ports.connect(tuple.local.port(), sharing);
    if let Some(replaced) = replaced {
        ports.disconnect(tuple.local.port(), replaced.sharing);
    }
    Ok(())
}

/// Forgets `endpoint`, which needs no more packets.
pub(crate) fn remove(tuple: &Tuple, endpoint: &Arc<Endpoint>) {
    let is_same =
        |entry: &Entry| matches!(&entry.found, TupleOwner::Endpoint(found) if Arc::ptr_eq(found, endpoint));
    remove_if(tuple, is_same);
}

/// Forgets a request of `listener`.
pub(crate) fn withdraw(tuple: &Tuple, listener: &Arc<Endpoint>) {
    remove_if(tuple, |entry| is_request_of(entry, listener));
}

/// Has a connection where there was a request of `listener`.
pub(crate) fn promote(tuple: &Tuple, listener: &Arc<Endpoint>, endpoint: &Arc<Endpoint>) {
    let mut shard = shard(tuple);
    if let Some(entry) = shard.get_mut(tuple).filter(|entry| is_request_of(entry, listener)) {
        entry.found = TupleOwner::Endpoint(endpoint.clone());
    }
}

fn is_request_of(entry: &Entry, listener: &Arc<Endpoint>) -> bool {
    matches!(&entry.found, TupleOwner::Request(found) if Arc::ptr_eq(found, listener))
}

/// Forgets what is left of a connection.
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

/// Keeps of `endpoint` only what answers late packets; or nothing, where too many wait already.
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

/// Keeps a place until `rest` ends, and says whether it is the first. `None`: there are too many, those that became
/// connections again counted as well.
fn wait(tuple: &Tuple, rest: &TimeWait) -> Option<bool> {
    let mut waiting = WAITING.lock();
    if waiting.len() >= time_wait::most(budget::total()) || waiting.try_reserve(1).is_err() {
        return None;
    }
    waiting.push_back((rest.end(), *tuple));
    Some(waiting.len() == 1)
}

/// Forgets what has waited long enough, and says when the next has.
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
        // Another connection may have taken the tuple in the meantime.
        remove_if(&tuple, |entry| matches!(&entry.found, TupleOwner::TimeWait(rest) if rest.end() <= now));
    }
}
