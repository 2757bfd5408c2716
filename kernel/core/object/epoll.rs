//! Epoll instances: files that tell which of other files are ready.
//!
//! Owns: the interest table under its lock (rank 2), the scan.   Not here: marks (event/ready), the rules
//! (`rules::core::epoll`), who may watch whom (`nesting`), sleeping (event/wait).
//! Invariant: an item that is connected has one registration with its file, and its place is not given to
//! another item before that registration has ended. An item goes with its open file description.
//!
//! A file's poll takes no lock above rank 3, so items are asked under the interest lock, and nobody can
//! remove one meanwhile. An epoll inside an epoll is asked under the locks of both: instances nest without
//! cycles, so these locks are taken along a graph that has an order. (The alternative, to ask with no lock
//! held, needs a reference count up and down for each item and an answer to a second scan that finds the
//! queue empty while the first has its items in hand; Linux holds its mutex, too.)
//! Source: epoll(7); Linux 6.1 fs/eventpoll.c.

mod control;
mod nesting;
mod scan;

use alloc::sync::{Arc, Weak};

use pollee::{Count, Events, NoMemory, Share, Token, Watch, Watcher};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::epoll::interest::{self, Identity, Table};

pub(crate) use self::control::control;
use self::nesting::Outer;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::event::ready::ReadyQueue;
use crate::core::event::{self, Pollux};
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::Release;
use crate::core::file::traits::File;

/// An epoll instance.
pub(crate) struct Epoll {
    interest: Ranked<Table<DescriptionId, Watched>>,
    ready: Arc<ReadyQueue>,
    /// The instances of which this one is an item.
    outer: Outer,
    me: Weak<Self>,
}

type Item = interest::Item<DescriptionId, Watched>;

/// A file in an interest table.
struct Watched {
    /// Keeps the file, not its description: the item goes first when that is closed.
    file: Arc<dyn File>,
    description: Weak<OpenFile>,
    /// `None` before the item is connected.
    token: Option<Token>,
}

/// Makes and opens an epoll instance.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create() -> Result<Arc<OpenFile>, Errno> {
    let epoll = Arc::new_cyclic(|me| Epoll {
        interest: Ranked::new(Rank::Interest, Table::new()),
        ready: Arc::new(ReadyQueue::new()),
        outer: Outer::new(),
        me: me.clone(),
    });
    OpenFile::new(epoll, AccessMode::ReadWrite, OpenFlags::empty())
}

impl Epoll {
    /// What a thread in epoll_wait(2) waits for: that something is queued, ready or not.
    pub(crate) fn queue(&self) -> &event::Watch {
        self.ready.watch()
    }

    /// Lets another waiter look if something is queued. To be called by who has looked and leaves.
    pub(crate) fn pass_on(&self) {
        self.ready.pass_on();
    }

    /// Takes an item out of the table and ends its registration; the caller drops it without the lock.
    fn disconnect(
        &self,
        table: &mut Table<DescriptionId, Watched>,
        identity: Identity<DescriptionId>,
    ) -> Option<Item> {
        let (key, mut item) = table.remove(identity)?;
        if let (Some(token), Some(watch)) = (item.file.token.take(), item.file.file.watch()) {
            drop(watch.unregister(token));
        }
        self.ready.close(key);
        Some(item)
    }

    /// Forgets what an item meant to others.
    fn forget(&self, item: &Item) {
        control::uncharge();
        if let Some(inner) = as_epoll(&*item.file.file) {
            inner.outer.remove(self);
        }
    }
}

/// The file as an epoll instance, if it is one.
pub(crate) fn as_epoll(file: &dyn File) -> Option<&Epoll> {
    let any: &dyn core::any::Any = file;
    any.downcast_ref()
}

impl File for Epoll {
    fn class(&self) -> Class {
        Class::Epoll
    }

    /// Readable if an item is ready: a queued one may have become stale, so they are asked. Whatever the caller
    /// wants to know, as on Linux: what is stale then leaves the queue, and comes back at its end.
    fn poll(&self, interest: Events) -> Events {
        if self.has_ready_item() { interest & Events::READABLE } else { Events::empty() }
    }

    fn watch(&self) -> Option<&event::Watch> {
        Some(self)
    }
}

/// For those who watch the instance as a file: select, poll, another epoll.
impl Watch<Pollux> for Epoll {
    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        share: Share,
    ) -> Result<(Token, Events), NoMemory> {
        let (token, _) = self.queue().register(watcher, interest, share)?;
        Ok((token, self.poll(interest)))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.queue().set_interest(token, interest);
        self.poll(interest)
    }

    fn rearm(&self, token: &Token) {
        self.queue().rearm(token);
    }

    fn unregister(&self, token: Token) -> Watcher<Pollux> {
        self.queue().unregister(token)
    }

    fn count(&self, what: Count) {
        self.queue().count(what);
    }
}

impl Release for Epoll {
    fn release(&self, description: DescriptionId) {
        loop {
            let mut table = self.interest.lock();
            let Some(fd) = table.numbers_of(description).next() else {
                return;
            };
            let item = self.disconnect(&mut table, Identity { description, fd });
            drop(table);
            if let Some(item) = item {
                self.forget(&item);
            }
        }
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        // A description that goes at this moment cannot reach this instance any more; its file is held here.
        let mut from = 0;
        loop {
            let mut table = self.interest.lock();
            let Some((next, identity)) = table.next(from).map(|(next, item)| (next, item.identity)) else {
                return;
            };
            from = next;
            let item = self.disconnect(&mut table, identity);
            drop(table);
            if let Some(item) = item {
                self.forget(&item);
            }
        }
    }
}
