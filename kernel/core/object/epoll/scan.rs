//! Polling the queued items.
//!
//! A scan takes items out of the queue, polls, reports and settles them, a batch at a time. Only a report that has
//! arrived in the program's memory uses up an edge or a one-shot, so a fault loses no event. Level-triggered items go
//! to the end of the queue, where the next scan finds them, so an item that is always ready cannot starve the others.
//!
//! Why: decision 0001, decision 0059.

use pollee::Events;
use pollee::ready_list::{Batch, Settle};
use rules::abi::epoll::EpollEvent;
use rules::abi::errno::Errno;

use super::{Epoll, Item};

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
