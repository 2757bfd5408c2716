//! An area: a range of addresses with the same mapping.

use core::ops::Range;

use bitflags::bitflags;

use crate::machine::abi::mman::Prot;

/// What gives an area its first contents.
pub trait Backing: Clone {
    /// Returns the same backing, `bytes` further on.
    #[must_use]
    fn advanced(&self, bytes: usize) -> Self;

    /// Returns whether `next` goes on exactly where `len` bytes of `self` end.
    fn is_continued_by(&self, len: usize, next: &Self) -> bool;

    /// Returns whether what is written stays with this address space.
    fn is_private(&self) -> bool;
}

bitflags! {
    /// How an area differs from a plain one.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Traits: u8 {
        /// Touching the page below its start moves the start down (`MAP_GROWSDOWN`).
        const GROWS_DOWN = 1;
        /// Its pages were asked to stay (mlock(2)).
        const LOCKED = 2;
        /// A child does not get it (`MADV_DONTFORK`).
        const DONT_FORK = 4;
        /// A child finds zeroes (`MADV_WIPEONFORK`).
        const WIPE_ON_FORK = 8;
        /// It may hold pages that exist in this address space alone.
        const OWN_PAGES = 16;
    }
}

/// A range of addresses with one protection and one backing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Area<B> {
    /// First address.
    pub start: usize,
    /// First address after it.
    pub end: usize,
    /// What may be done with its pages.
    pub prot: Prot,
    /// The most that mprotect(2) may allow (`EACCES` beyond it).
    pub max_prot: Prot,
    /// How it differs from a plain area.
    pub traits: Traits,
    /// What gives its first contents, counted from `start`.
    pub backing: B,
}

impl<B: Backing> Area<B> {
    /// Returns the addresses.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Never, by the invariant; here because a type with `len` is expected to have it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns the part of it inside `range`, which must overlap.
    #[must_use]
    pub(super) fn part(&self, range: &Range<usize>) -> Self {
        let start = self.start.max(range.start);
        let end = self.end.min(range.end);
        debug_assert!(start < end);
        Self { start, end, backing: self.backing.advanced(start - self.start), ..self.clone() }
    }

    /// Returns whether `next` can be told from a continuation of `self` by nothing but its start.
    pub(super) fn is_continued_by(&self, next: &Self) -> bool {
        self.end == next.start
            && self.prot == next.prot
            && self.max_prot == next.max_prot
            // Which of two neighbours holds pages is no difference: a merged area simply may.
            && self.traits | Traits::OWN_PAGES == next.traits | Traits::OWN_PAGES
            // Growth needs to know where the stack ends, and a lower neighbour would change that.
            && !self.traits.contains(Traits::GROWS_DOWN)
            && self.backing.is_continued_by(self.len(), &next.backing)
    }
}
