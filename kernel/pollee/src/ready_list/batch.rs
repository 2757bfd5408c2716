//! Entries that were taken out of a ready list, with what becomes of each.

use super::queue::{Queue, Settle, Taken};

/// Entries that were taken together, to be settled together.
#[derive(Debug, Default)]
pub struct Batch(heapless::Vec<(Taken, Settle), { Batch::CAPACITY }>);

impl Batch {
    /// The most entries in a batch.
    pub const CAPACITY: usize = 32;

    /// An empty batch.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// How many entries it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in their order, each with what becomes of it.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Taken, Settle)> {
        self.0.iter_mut()
    }

    /// Adds an entry, to be gone if the caller says nothing else.
    #[inline]
    pub(super) fn push(&mut self, taken: Taken) {
        // There is room: the caller has asked.
        let _ = self.0.push((taken, Settle::Gone));
    }

    /// Settles all entries in `queue`.
    #[inline]
    pub(super) fn settle(&self, queue: &mut Queue) {
        let mut has_front = false;
        for (taken, how) in &self.0 {
            if *how == Settle::Front {
                has_front = true;
            } else {
                queue.settle(taken, *how);
            }
        }
        if has_front {
            // The first of them is to be the first again.
            for (taken, _) in self.0.iter().rev().filter(|(_, how)| *how == Settle::Front) {
                queue.settle(taken, Settle::Front);
            }
        }
    }
}
