//! Supplementary groups: which groups a process belongs to besides its own.
//!
//! Owns: the set, sorted.   Not here: who may change it (`credentials`).
//! Invariant: the set never changes, so processes share it; no part of it is larger than a page.
//! Source: getgroups(2); Linux 6.1 kernel/groups.c (`groups_sort`, `groups_search`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::abi::errno::Errno;
use crate::machine::fallible;

/// The most supplementary groups: `NGROUPS_MAX`.
pub const NGROUPS_MAX: usize = 65_536;

/// Groups in one part: a page of them.
const PART: usize = 1024;

/// A set of groups. A group that was passed twice is there twice, as on Linux.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GroupSet(Option<Arc<Vec<Vec<u32>>>>);

impl GroupSet {
    /// No group.
    pub const EMPTY: Self = Self(None);

    /// Makes the set of `groups`, in any order.
    ///
    /// # Errors
    /// `ENOMEM`. `EINVAL`: one of them is -1 (`gid_valid`), or there are more than [`NGROUPS_MAX`].
    pub fn new(count: usize, mut group: impl FnMut(usize) -> u32) -> Result<Self, Errno> {
        if count > NGROUPS_MAX {
            return Err(Errno::EINVAL);
        }
        if count == 0 {
            return Ok(Self::EMPTY);
        }
        let mut parts = Vec::new();
        fallible::reserve_exact(&mut parts, count.div_ceil(PART))?;
        for start in (0..count).step_by(PART) {
            let len = PART.min(count - start);
            let mut part = Vec::new();
            fallible::reserve_exact(&mut part, len)?;
            part.extend((start..start + len).map(&mut group));
            if part.contains(&u32::MAX) {
                return Err(Errno::EINVAL);
            }
            parts.push(part);
        }
        sort(&mut parts, count);
        Ok(Self(Some(fallible::shared(parts)?)))
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts().iter().map(Vec::len).sum()
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns whether `group` is among them.
    #[must_use]
    pub fn has(&self, group: u32) -> bool {
        let parts = self.parts();
        let after = parts.partition_point(|part| part.first().is_some_and(|first| *first <= group));
        after
            .checked_sub(1)
            .and_then(|part| parts.get(part))
            .is_some_and(|part| part.binary_search(&group).is_ok())
    }

    /// Returns the groups in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.parts().iter().flatten().copied()
    }

    fn parts(&self) -> &[Vec<u32>] {
        self.0.as_ref().map_or(&[], |parts| parts)
    }
}

/// Sorts all `count` numbers across `parts`: a heap sort, because it needs no memory.
fn sort(parts: &mut [Vec<u32>], count: usize) {
    if let [part] = parts {
        part.sort_unstable();
        return;
    }
    for root in (0..count / 2).rev() {
        sink(parts, root, count);
    }
    for end in (1..count).rev() {
        swap(parts, 0, end);
        sink(parts, 0, end);
    }
}

fn sink(parts: &mut [Vec<u32>], mut root: usize, end: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && at(parts, child) < at(parts, child + 1) {
            child += 1;
        }
        if at(parts, root) >= at(parts, child) {
            return;
        }
        swap(parts, root, child);
        root = child;
    }
}

fn at(parts: &[Vec<u32>], index: usize) -> u32 {
    parts[index / PART][index % PART]
}

fn swap(parts: &mut [Vec<u32>], one: usize, other: usize) {
    let (low, high) = (at(parts, one), at(parts, other));
    parts[one / PART][one % PART] = high;
    parts[other / PART][other % PART] = low;
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{GroupSet, NGROUPS_MAX};
    use crate::abi::errno::Errno;

    #[test]
    fn each_group_is_found_and_no_other() {
        let of = |index: usize| (index as u32).wrapping_mul(2_654_435_761) >> 8 << 1;
        for count in [0, 1, 2, 1023, 1024, 1025, 5000, NGROUPS_MAX] {
            let set = GroupSet::new(count, of).unwrap();
            assert_eq!((set.len(), set.is_empty()), (count, count == 0));
            assert!(set.iter().is_sorted());
            assert!((0..count).all(|index| set.has(of(index)) && !set.has(of(index) + 1)));
            let mut expected: Vec<u32> = (0..count).map(of).collect();
            expected.sort_unstable();
            assert!(set.iter().eq(expected));
        }
    }

    #[test]
    fn what_is_no_group_is_refused() {
        assert_eq!(GroupSet::new(NGROUPS_MAX + 1, |_| 1), Err(Errno::EINVAL));
        assert_eq!(GroupSet::new(2, |_| u32::MAX), Err(Errno::EINVAL));
    }
}
