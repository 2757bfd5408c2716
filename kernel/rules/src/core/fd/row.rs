//! Sixty-four neighbouring descriptors, for those who look at many.
//!
//! Why: decision 0052.

use super::ROW;
use super::leaf::Leaf;

/// The descriptors from a multiple of [`ROW`] on.
pub struct Row<'a, T> {
    open: u64,
    files: &'a [Option<T>; ROW],
}

impl<'a, T> Row<'a, T> {
    const NOTHING: &'a [Option<T>; ROW] = &[const { None }; ROW];

    /// A row where nothing is open.
    #[must_use]
    pub const fn empty() -> Self {
        Self { open: 0, files: Self::NOTHING }
    }

    pub(super) fn of(leaf: &'a Leaf<T>) -> Self {
        Self { open: leaf.open, files: leaf.files().unwrap_or(Self::NOTHING) }
    }

    /// Bit n: the n-th descriptor is open.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// The file behind the descriptor `n` modulo [`ROW`].
    #[inline]
    #[must_use]
    pub const fn get(&self, n: usize) -> Option<&'a T> {
        self.files[n % ROW].as_ref()
    }
}
