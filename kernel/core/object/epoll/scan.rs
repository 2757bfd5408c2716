//! Asking the queued items whether they are ready.
//!
//! Items are taken out of the queue, asked, reported and settled, some at a time; only a report that has arrived in the
//! program's memory uses up an edge or a one-shot, so a fault loses nothing. Items that are level-triggered go
//! behind the others, where the next scan finds them: no item waits for ever because another is always ready.
//!
//! Why: decision 0001, decision 0059.

use pollee::Events;
use pollee::ready_list::{Batch, Settle};
use rules::abi::epoll::EpollEvent;
use rules::abi::errno::Errno;

use super::{Epoll, Item};

impl Epoll {
    /// Reports up to `max` ready items to `put`, which is given how many were reported before and some events, and
    /// says how many of them arrived. Returns how many were reported.
    ///
    /// # Errors
    /// `EFAULT`: the first did not arrive. What did not remains ready.
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
            // A bit for each of the batch.
            let mut reported = 0_u32;
            for (nr, (taken, settle)) in batch.iter_mut().enumerate() {
                // An item's place is closed with it, so a place that was queued has its item.
                let Some(item) = table.get(taken.key) else { continue };
                let ready = poll_item(item);
                if ready.is_empty() {
                    continue;
                }
                // There is room: the batch is no longer.
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

    /// Whether an item is ready. Those that are queued and not ready leave the queue.
    pub(super) fn has_ready_item(&self) -> bool {
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

/// What an item is ready for.
fn poll_item(item: &Item) -> Events {
    item.file.pollable().poll(item.event.interest())
}

/// Keeps those of the `reported` ready that come after the first `arrived`.
#[cold]
fn keep_ready(batch: &mut Batch, reported: u32, arrived: usize) {
    let reports = batch.iter_mut().enumerate().filter(|(nr, _)| reported & (1 << nr) != 0);
    for (_, (_, settle)) in reports.skip(arrived) {
        *settle = Settle::Front;
    }
}
