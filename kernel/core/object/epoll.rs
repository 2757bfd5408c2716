//! Epoll instances: files that report which of other files are ready.
//!
//! Owns: the interest table under its lock (rank 2), the scan.   Not here: the ready list (`pollee::ready_list`), the
//! rules (`rules::core::epoll`), which instance may contain which (`nesting`), sleeping (`pollee::wait`).
//! Invariant: a connected item has one registration with its file, and its key is not reused before that registration
//! has ended. An item is removed when its open file description is released.
//!
//! A file's poll takes locks of rank 3 at most, so items are polled under the interest lock, and no thread can remove
//! one meanwhile. An instance inside another is polled under the locks of both: instances nest without cycles, so
//! these locks have an order. (Polling with no lock held would need a reference count for each item, and a solution
//! for a second scan that finds the queue empty while the first holds its items. Linux holds its mutex, too.)
//!
//! A scan takes items out of the ready list, polls, reports and settles them, a batch at a time. Only a report that has
//! arrived in the program's memory uses up an edge or a one-shot, so a fault loses no event. Level-triggered items go
//! to the end of the list, where the next scan finds them, so an item that is always ready cannot starve the others.
//!
//! Why: decision 0001, decision 0059.
//! Source: epoll(7); Linux 6.1 fs/eventpoll.c.

mod control;
mod nesting;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use pollee::ready_list::{Batch, Settle};
use pollee::{
    Events, NoMemory, Pollable, ReadinessHeader, ReadinessSource, ReadyList, Token, WakeMode, Watcher,
};
use rules::abi::epoll::EpollEvent;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::epoll::interest::{self, Identity, Table};
use rules::machine::fallible;
use yoke::Yoke;

pub(crate) use self::control::control;
use self::nesting::Outer;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::event::{self, Pollux};
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;
use crate::core::file::traits::File;
use crate::machine::memory::account::Account;

/// An epoll instance.
pub(crate) struct Epoll {
    interest: Ranked<Table<DescriptionId, ItemFile>>,
    ready: Arc<ReadyList<Pollux>>,
    /// The instances that contain this one.
    outer: Outer,
    /// Who made it, whose items its items are.
    account: Arc<Account>,
    me: Weak<Self>,
}

type Item = interest::Item<DescriptionId, ItemFile>;

/// A file in an interest table.
struct ItemFile {
    /// Keeps the file alive, not its description, whose release removes the item.
    file: Yoke<&'static event::Pollable, Arc<dyn File>>,
    description: Weak<OpenFile>,
    /// `None` before the item is connected.
    token: Option<Token>,
}

impl ItemFile {
    fn file(&self) -> &Arc<dyn File> {
        self.file.backing_cart()
    }

    fn pollable(&self) -> &event::Pollable {
        *self.file.get()
    }
}

/// Makes and opens an epoll instance.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(account: Arc<Account>) -> Result<Arc<OpenFile>, Errno> {
    let epoll = Arc::new_cyclic(|me| Epoll {
        interest: Ranked::new(Rank::Interest, Table::new()),
        ready: Arc::new(ReadyList::new(Class::Epoll)),
        outer: Outer::new(),
        account,
        me: me.clone(),
    });
    OpenFile::new(epoll, AccessMode::ReadWrite, OpenFlags::empty())
}

impl Epoll {
    /// Returns the ready list, on which threads in epoll_wait(2) wait until an item is queued, ready or not.
    pub(crate) fn ready_list(&self) -> &event::ReadyList {
        &self.ready
    }

    /// Returns the descriptors, events and descriptions of the items, as many as there is memory for.
    pub(crate) fn items(&self) -> Vec<(i32, EpollEvent, Weak<OpenFile>)> {
        let (mut items, mut from) = (Vec::new(), 0);
        let table = self.interest.lock();
        while let Some((next, item)) = table.next(from).filter(|_| fallible::reserve(&mut items, 1).is_ok()) {
            items.push((item.identity.fd, item.event, item.file.description.clone()));
            from = next;
        }
        items
    }

    /// Removes an item from the table and ends its registration; the caller drops the item without the lock.
    fn disconnect(
        &self,
        table: &mut Table<DescriptionId, ItemFile>,
        identity: Identity<DescriptionId>,
    ) -> Option<Item> {
        let (key, mut item) = table.remove(identity)?;
        if let Some(token) = item.file.token.take() {
            drop(item.file.pollable().unregister(token));
        }
        self.ready.close(key);
        Some(item)
    }

    /// Removes the items that `next` finds, one after the other.
    fn remove_each(
        &self,
        mut next: impl FnMut(&Table<DescriptionId, ItemFile>) -> Option<Identity<DescriptionId>>,
    ) {
        loop {
            let mut table = self.interest.lock();
            let Some(identity) = next(&table) else { return };
            let item = self.disconnect(&mut table, identity);
            drop(table);
            item.iter().for_each(|item| self.forget(item));
        }
    }

    /// Undoes what a removed item meant outside of this instance.
    fn forget(&self, item: &Item) {
        self.account.epoll_items.refund();
        if let Some(inner) = as_epoll(&**item.file.file()) {
            inner.outer.remove(self);
        }
    }
}

/// Returns `file` as an epoll instance, if it is one.
pub(crate) fn as_epoll(file: &dyn File) -> Option<&Epoll> {
    let any: &dyn core::any::Any = file;
    any.downcast_ref()
}

/// The scan.
impl Epoll {
    /// Reports up to `max` ready items and returns how many. `put` gets the number of earlier reports and some new
    /// ones, and returns how many of these arrived.
    ///
    /// # Errors
    /// `EFAULT`: the first report did not arrive. Items whose report did not arrive stay ready.
    #[inline(always)]
    pub(crate) fn scan(
        &self,
        max: usize,
        put: impl FnMut(usize, &[EpollEvent]) -> usize,
    ) -> Result<usize, Errno> {
        if self.ready.is_known_empty() { Ok(0) } else { self.scan_queue(max, put) }
    }

    fn scan_queue(
        &self,
        max: usize,
        mut put: impl FnMut(usize, &[EpollEvent]) -> usize,
    ) -> Result<usize, Errno> {
        let mut start = None;
        let mut count = 0;
        while count < max {
            let table = self.interest.lock();
            let most = Batch::CAPACITY.min(max - count);
            let mut batch = Batch::new();
            self.ready.take(&mut start, most, &mut batch);
            if batch.is_empty() {
                break;
            }
            let is_last = batch.len() < most;
            let mut reports: heapless::Vec<EpollEvent, { Batch::CAPACITY }> = heapless::Vec::new();
            // A bit for each item of the batch.
            let mut reported = 0_u32;
            for (nr, (taken, settle)) in batch.iter_mut().enumerate() {
                // An item's key is closed with it, so a queued key has its item.
                let Some(item) = table.get(taken.key) else { continue };
                let ready = poll_item(item);
                if ready.is_empty() {
                    continue;
                }
                // There is room: the batch has the same capacity.
                let _ = reports.push(EpollEvent { events: u32::from(ready.bits()), data: item.event.data });
                *settle = item.event.settle_reported();
                reported |= 1 << nr;
            }
            let arrived = if reports.is_empty() { 0 } else { put(count, &reports) };
            let is_fault = arrived < reports.len();
            if is_fault {
                keep_ready(&mut batch, reported, arrived);
            }
            self.ready.settle(&batch);
            drop(table);
            count += arrived;
            if is_fault && count == 0 {
                return Err(Errno::EFAULT);
            }
            if is_fault || is_last {
                break;
            }
        }
        Ok(count)
    }

    /// Returns whether an item is ready. Queued items that are not ready leave the queue.
    fn has_ready_item(&self) -> bool {
        if self.ready.is_known_empty() {
            return false;
        }
        let mut start = None;
        loop {
            let table = self.interest.lock();
            let mut batch = Batch::new();
            self.ready.take(&mut start, 1, &mut batch);
            let Some((taken, settle)) = batch.iter_mut().next() else { return false };
            let is_ready = table.get(taken.key).is_some_and(|item| !poll_item(item).is_empty());
            if is_ready {
                *settle = Settle::Front;
            }
            self.ready.settle(&batch);
            if is_ready {
                return true;
            }
        }
    }
}

/// Returns the ready events of an item.
fn poll_item(item: &Item) -> Events {
    item.file.pollable().poll(item.event.interest())
}

/// Keeps the `reported` items after the first `arrived` ones ready.
#[cold]
fn keep_ready(batch: &mut Batch, reported: u32, arrived: usize) {
    let reports = batch.iter_mut().enumerate().filter(|(nr, _)| reported & (1 << nr) != 0);
    for (_, (_, settle)) in reports.skip(arrived) {
        *settle = Settle::Front;
    }
}

impl File for Epoll {
    fn class(&self) -> Class {
        Class::Epoll
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(self)
    }
}

/// For select(2), poll(2) and outer instances, which poll this one as a file: the ready list is only a hint.
impl Pollable<Pollux> for Epoll {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        self.ready.source()
    }

    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        None
    }

    /// Readable if an item is ready. Queued items may have become stale, so they are polled; stale ones leave the
    /// list, and come back at its end. As on Linux, whatever `interest` is.
    fn poll(&self, interest: Events) -> Events {
        if self.has_ready_item() { interest & Events::READABLE } else { Events::empty() }
    }

    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        let (token, _) = self.ready.register(watcher, interest, mode)?;
        Ok((token, Pollable::poll(self, interest)))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.ready.set_interest(token, interest);
        Pollable::poll(self, interest)
    }
}

impl ReleaseObserver for Epoll {
    fn released(&self, description: DescriptionId) {
        let identity = |fd| Identity { description, fd };
        self.remove_each(|table| table.numbers_of(description).next().map(identity));
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        // A description that is released at this moment cannot reach this instance any more; the item holds its file.
        let mut from = 0;
        self.remove_each(|table| {
            let (next, item) = table.next(from)?;
            from = next;
            Some(item.identity)
        });
    }
}
