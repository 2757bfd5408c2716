//! epoll_ctl(2): adding, changing and removing items.
//!
//! Owns: how many items a user may have.   Not here: parsing (`core/syscall/epoll`), what is allowed (`rules::core::epoll`).

use alloc::sync::Arc;

use pollee::ready_list::Key;
use pollee::{Events, NoMemory, WakeMode};
use rules::abi::epoll::{EpollEvent, EpollFlags, Operation};
use rules::abi::errno::Errno;
use rules::core::epoll::interest::{self, Identity, TargetKind};
use yoke::Yoke;

use super::nesting::Graph;
use super::{Epoll, Item, ItemFile, as_epoll};
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// The bytes that Linux counts for an item; those of a user may take a 25th of memory.
const ITEM_COST: usize = 200;
const SHARE_OF_MEMORY: usize = 25;

/// Returns how many items a user may have: `max_user_watches`.
fn most() -> usize {
    budget::total() / SHARE_OF_MEMORY / ITEM_COST
}

/// Performs `operation` (`None`: an unknown number) on the item of `target`, open as `fd`, in the instance `file`.
/// The checks come in Linux's order.
///
/// # Errors
/// Nothing changed. `EPERM`: `target` is always ready. `EINVAL`: `file` is no instance or is `target`, an unknown
/// operation, `EPOLLEXCLUSIVE` where it is not allowed, too many wake-up paths. `EEXIST`: the item exists. `ENOENT`:
/// it does not. `ELOOP`: instances would nest in a cycle or too deep. `ENOSPC`: too many items. `ENOMEM`.
pub(crate) fn control(
    file: &Arc<OpenFile>,
    operation: Option<Operation>,
    target: &Arc<OpenFile>,
    fd: i32,
    event: EpollEvent,
) -> Result<(), Errno> {
    if target.pollable().is_none() {
        return Err(Errno::EPERM);
    }
    let epoll = file.downcast::<Epoll>().ok_or(Errno::EINVAL)?;
    if file.id() == target.id() {
        return Err(Errno::EINVAL);
    }
    let operation = operation.ok_or(Errno::EINVAL)?;
    let kind = if as_epoll(&**target.file()).is_some() { TargetKind::Epoll } else { TargetKind::Other };
    interest::check(operation, &event, kind)?;
    let identity = Identity { description: target.id(), fd };
    match operation {
        Operation::Add => epoll.add(identity, target, event),
        Operation::Delete => epoll.delete(identity),
        Operation::Modify => epoll.modify(identity, event),
    }
}

impl Epoll {
    fn add(
        &self,
        identity: Identity<DescriptionId>,
        target: &Arc<OpenFile>,
        event: EpollEvent,
    ) -> Result<(), Errno> {
        let inner = as_epoll(&**target.file());
        let mut graph = inner.map(|_| Graph::lock());
        if let (Some(graph), Some(inner)) = (&graph, inner) {
            graph.check_nesting(self, inner)?;
        }
        let key = loop {
            match self.insert(identity, target, event, graph.as_ref())? {
                Some(key) => break key,
                None => graph = Some(Graph::lock()),
            }
        };
        let result = match &graph {
            Some(graph) => graph.check_paths(inner, target),
            None => Ok(()),
        };
        let result = result.and_then(|()| self.connect(key, identity));
        if result.is_err() {
            // Another thread can see the item, and may have removed it already.
            let _ = self.delete(identity);
        }
        result
    }

    /// Puts an item into the table, not registered yet. `None`: this instance is an item of others, so its paths
    /// count, and the caller has to lock the graph first.
    fn insert(
        &self,
        identity: Identity<DescriptionId>,
        target: &Arc<OpenFile>,
        event: EpollEvent,
        graph: Option<&Graph>,
    ) -> Result<Option<Key>, Errno> {
        let me: Arc<dyn ReleaseObserver> = self.me.upgrade().ok_or(Errno::EBADF)?;
        target.observe(&me)?;
        let mut table = self.interest.lock();
        if graph.is_none() && self.outer.is_watched() {
            return Ok(None);
        }
        if table.find(identity).is_some() {
            return Err(Errno::EEXIST);
        }
        let _grant = budget::grant(PAGE_SIZE)?;
        let file =
            Yoke::try_attach_to_cart(target.file().clone(), |file| file.pollable().ok_or(Errno::EPERM))?;
        if !self.account.epoll_items.charge(most()) {
            return Err(Errno::ENOSPC);
        }
        let file = ItemFile { file, description: Arc::downgrade(target), token: None };
        let key = self.ready.open().map_err(|NoMemory| {
            self.account.epoll_items.refund();
            Errno::ENOMEM
        })?;
        let inserted = table.insert(key, Item { identity, file, event });
        let inner = as_epoll(&**target.file());
        let inserted = inserted.and_then(|()| inner.map_or(Ok(()), |inner| inner.outer.add(&self.me)));
        if let Err(error) = inserted {
            let _ = table.remove(identity);
            self.ready.close(key);
            self.account.epoll_items.refund();
            return Err(error);
        }
        Ok(Some(key))
    }

    /// Registers an item with its file, and queues it if the file is ready.
    fn connect(&self, key: Key, identity: Identity<DescriptionId>) -> Result<(), Errno> {
        let mut table = self.interest.lock();
        let item = table.get_mut(key).filter(|item| item.identity == identity && item.file.token.is_none());
        let Some(item) = item else {
            // Another thread has removed it, or has connected an equal item with its key.
            return Ok(());
        };
        let is_exclusive = item.event.flags().contains(EpollFlags::EXCLUSIVE);
        let mode = if is_exclusive { WakeMode::Exclusive } else { WakeMode::All };
        let registered = item.file.pollable().register(self.ready.entry(key), item.event.interest(), mode);
        let (token, events) = registered.map_err(|NoMemory| Errno::ENOMEM)?;
        item.file.token = Some(token);
        let notification = (!events.is_empty()).then(|| self.ready.enqueue(key));
        drop(table);
        drop(notification);
        Ok(())
    }

    fn delete(&self, identity: Identity<DescriptionId>) -> Result<(), Errno> {
        let mut table = self.interest.lock();
        let item = self.disconnect(&mut table, identity).ok_or(Errno::ENOENT)?;
        drop(table);
        self.forget(&item);
        Ok(())
    }

    fn modify(&self, identity: Identity<DescriptionId>, event: EpollEvent) -> Result<(), Errno> {
        let mut table = self.interest.lock();
        let key = table.find(identity).ok_or(Errno::ENOENT)?;
        let item = table.get_mut(key).ok_or(Errno::ENOENT)?;
        if item.event.flags().contains(EpollFlags::EXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        item.event = event;
        // Armed and registered first, polled after that: an event in between enqueues the item.
        self.ready.arm(key);
        let events = match &item.file.token {
            Some(token) => item.file.pollable().set_interest(token, event.interest()),
            None => Events::empty(),
        };
        let notification = (!events.is_empty()).then(|| self.ready.enqueue(key));
        drop(table);
        drop(notification);
        Ok(())
    }
}
