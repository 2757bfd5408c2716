//! Wraps select(2) and pselect6(2) with raw system calls.

use std::time::Duration;

use crate::sys::{self, Result};
use crate::time;

/// A set of descriptors of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FdSet {
    words: Vec<u64>,
}

impl FdSet {
    /// Makes a set for numbers below `room`, holding `members`.
    pub fn new(room: usize, members: &[i32]) -> Self {
        let mut set = Self { words: vec![0; room.div_ceil(64)] };
        for &fd in members {
            set.words[fd as usize / 64] |= 1 << (fd % 64);
        }
        set
    }

    /// Makes a set of the usual size, `FD_SETSIZE`.
    pub fn of(members: &[i32]) -> Self {
        Self::new(libc::FD_SETSIZE, members)
    }

    /// Returns the members, in order.
    pub fn members(&self) -> Vec<i32> {
        let room = self.words.len() as i32 * 64;
        (0..room).filter(|fd| self.words[*fd as usize / 64] >> (fd % 64) & 1 == 1).collect()
    }

    /// Returns the set's address.
    pub fn address(&mut self) -> usize {
        self.words.as_mut_ptr() as usize
    }
}

/// The three sets of one call; `None` passes a null pointer.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    /// The descriptors to test for reading, then the readable ones.
    pub read: Option<FdSet>,
    /// The descriptors to test for writing, then the writable ones.
    pub write: Option<FdSet>,
    /// The descriptors to test for exceptional conditions, then those that have one.
    pub except: Option<FdSet>,
}

impl Sets {
    /// Makes sets with a read set only.
    pub fn reading(members: &[i32]) -> Self {
        Self { read: Some(FdSet::of(members)), ..Self::default() }
    }

    /// Makes sets with a write set only.
    pub fn writing(members: &[i32]) -> Self {
        Self { write: Some(FdSet::of(members)), ..Self::default() }
    }

    fn addresses(&mut self) -> [usize; 3] {
        [&mut self.read, &mut self.write, &mut self.except]
            .map(|set| set.as_mut().map_or(0, FdSet::address))
    }
}

/// Calls select(2). Returns its result and the remaining time that it wrote back.
pub fn select(
    nfds: i32,
    sets: &mut Sets,
    timeout: Option<Duration>,
) -> (Result<usize>, Option<Duration>) {
    let mut timeval =
        timeout.map(|timeout| [timeout.as_secs() as i64, i64::from(timeout.subsec_micros())]);
    let [read, write, except] = sets.addresses();
    let timeout = timeval.as_mut().map_or(0, |timeval| timeval.as_mut_ptr() as usize);
    // SAFETY: all memory that the kernel writes is ours.
    let result =
        unsafe { sys::call(libc::SYS_select, [nfds as usize, read, write, except, timeout]) };
    let left =
        timeval.map(|[s, us]| Duration::from_secs(s as u64) + Duration::from_micros(us as u64));
    (result, left)
}

/// Calls pselect6(2), with the signal mask `mask` if there is one.
pub fn pselect(
    nfds: i32,
    sets: &mut Sets,
    timeout: Option<Duration>,
    mask: Option<u64>,
) -> (Result<usize>, Option<Duration>) {
    let mut timespec = timeout.map(time::timespec);
    let [read, write, except] = sets.addresses();
    let timeout = timespec.as_mut().map_or(0, |timespec| &raw mut *timespec as usize);
    let mask_and_size = [mask.as_ref().map_or(0, |mask| &raw const *mask as usize), 8];
    let last = mask_and_size.as_ptr() as usize;
    let arguments = [nfds as usize, read, write, except, timeout, last];
    // SAFETY: all memory that the kernel writes is ours.
    let result = unsafe { sys::call(libc::SYS_pselect6, arguments) };
    (result, timespec.map(time::duration))
}
