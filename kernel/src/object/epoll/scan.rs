//! Asking the queued items whether they are ready.
//!
//! An item is taken out of the queue, asked, reported, and settled; only a report that has arrived in the
//! program's memory uses up an edge or a one-shot, so a fault loses nothing. Items that are level-triggered go
//! behind the others, where the next scan finds them: no item waits for ever because another is always ready.

use model::abi::epoll::EpollEvent;
use model::abi::errno::Errno;
use model::epoll::queue::{Settle, Stamp, Taken};
use pollee::Events;

use super::Epoll;

/// Items that are asked without letting go of the interest lock.
const CHUNK: usize = 32;

/// What a scan does with one item.
enum Look {
    /// Goes on.
    Next(Settle),
    /// Ends here.
    Last(Settle),
}

impl Epoll {
    /// Reports up to `max` ready items to `put`, which is given their number and their events, and returns how
    /// many were reported.
    ///
    /// # Errors
    /// That of `put`, if it is about the first item. What could not be put remains ready.
    pub(crate) fn scan(
        &self,
        max: usize,
        mut put: impl FnMut(usize, EpollEvent) -> Result<(), Errno>,
    ) -> Result<usize, Errno> {
        let mut count = 0;
        let mut error = None;
        self.look_at_each(|event, ready| {
            if ready.is_empty() {
                return Look::Next(Settle::Gone);
            }
            let report = EpollEvent { events: u32::from(ready.bits()), data: event.data };
            if let Err(fault) = put(count, report) {
                error = Some(fault);
                return Look::Last(Settle::Front);
            }
            count += 1;
            let settle = event.settle_reported();
            if count == max { Look::Last(settle) } else { Look::Next(settle) }
        });
        match error {
            Some(error) if count == 0 => Err(error),
            _ => Ok(count),
        }
    }

    /// Whether an item is ready. Those that are queued and not ready leave the queue.
    pub(super) fn has_ready_item(&self) -> bool {
        let mut is_ready = false;
        self.look_at_each(|_, ready| {
            is_ready = !ready.is_empty();
            if is_ready { Look::Last(Settle::Front) } else { Look::Next(Settle::Gone) }
        });
        is_ready
    }

    /// Lets `look` decide about each item that is queued now, given what is wanted of it and what is ready.
    fn look_at_each(&self, mut look: impl FnMut(&EpollEvent, Events) -> Look) {
        if self.ready.is_empty() {
            return;
        }
        let start = self.ready.now();
        while self.look_at_some(start, &mut look) {}
    }

    /// Looks at up to [`CHUNK`] items; whether there may be more.
    fn look_at_some(&self, start: Stamp, look: &mut impl FnMut(&EpollEvent, Events) -> Look) -> bool {
        let table = self.interest.lock();
        let mut looked_at: Option<(Taken, Settle)> = None;
        for _ in 0..CHUNK {
            let Some(taken) = self.ready.next(start, looked_at.take()) else {
                return false;
            };
            // An item's place is closed with it, so a place that was queued has its item.
            let Some(item) = table.get(taken.key) else {
                looked_at = Some((taken, Settle::Gone));
                continue;
            };
            let ready = item.file.file.poll(item.event.interest());
            match look(&item.event, ready) {
                Look::Next(settle) => looked_at = Some((taken, settle)),
                Look::Last(settle) => {
                    self.ready.settle(taken, settle);
                    return false;
                }
            }
        }
        if let Some((taken, settle)) = looked_at {
            self.ready.settle(taken, settle);
        }
        true
    }
}
