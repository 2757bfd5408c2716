//! What the pollee crate needs of this kernel: locks, tasks, counters.

use alloc::sync::Arc;

use pollee::{Count, Host, Lock};

use super::class::{self, Class};
use super::parker::Unparker;
use super::rank::{Rank, Ranked, RankedGuard};

/// This kernel, as the pollee crate sees it.
#[derive(Debug)]
pub(crate) enum Pollux {}

impl Host for Pollux {
    type Policy = super::Policy;
    type OwnerLock<T: Send> = RankLock<T, { Rank::Object as u8 }>;
    type ListLock<T: Send> = RankLock<T, { Rank::Watchers as u8 }>;
    type ReadyLock<T: Send> = RankLock<T, { Rank::ReadyList as u8 }>;
    type Task = Arc<Unparker>;
    type Class = Class;

    #[inline]
    fn count(class: Class, what: Count) {
        class::count(class, what);
    }
}

/// A [`Ranked`] lock with its rank in its type: the crate makes its locks itself, and knows no ranks.
pub(crate) struct RankLock<T, const RANK: u8>(Ranked<T>);

impl<T: Send, const RANK: u8> Lock<T> for RankLock<T, RANK> {
    type Guard<'a>
        = RankedGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Ranked::new(const { Rank::from_number(RANK) }, value))
    }

    #[inline]
    fn lock(&self) -> RankedGuard<'_, T> {
        self.0.lock()
    }
}
