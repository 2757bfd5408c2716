//! Recycled memory for packets and queues.
//!
//! Owns: pools of unused buffers in three sizes, so that a packet costs neither an allocation nor the zeroing of bytes
//! that are overwritten at once.
//! Invariant: a buffer's old contents are never shown; its user writes it before anything reads it.
//! Why: decision 0098.

use crate::machine::fallible;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::engine::{BUFFER, LARGE_BUFFER};
use super::pool::Pool;

/// The size for packets that are little more than headers.
const SMALL: usize = 256;

/// The size for what a connection's buffer holds, as one packet within the machine: at first…
const MEDIUM: usize = BUFFER + SMALL;

/// …and when it moves bulk data.
const LARGE: usize = LARGE_BUFFER + SMALL;

static SMALL_POOL: Pool<Vec<u8>> = Pool::new(64);
static MEDIUM_POOL: Pool<Vec<u8>> = Pool::new(32);
static LARGE_POOL: Pool<Vec<u8>> = Pool::new(16);

/// Chooses the size of buffer for `len` bytes, and its pool. A length that would waste more than half is allocated
/// exactly, without a pool.
fn size_for(len: usize) -> (usize, Option<&'static Pool<Vec<u8>>>) {
    const HALF_MEDIUM: usize = MEDIUM / 2;
    const HALF_LARGE: usize = LARGE / 2;
    match len {
        0..=SMALL => (SMALL, Some(&SMALL_POOL)),
        HALF_MEDIUM..=MEDIUM => (MEDIUM, Some(&MEDIUM_POOL)),
        HALF_LARGE..=LARGE => (LARGE, Some(&LARGE_POOL)),
        _ => (len, None),
    }
}

/// A recycled byte buffer, of which a part is in use.
#[derive(Default)]
pub(super) struct Buffer {
    /// All bytes, also those before `start` and from `end` on.
    bytes: Vec<u8>,
    start: u32,
    end: u32,
}

impl Buffer {
    /// Takes or allocates a buffer of `len` bytes with any contents. `None`: no memory.
    pub(super) fn try_new(len: usize) -> Option<Self> {
        let end = u32::try_from(len).ok()?;
        let (size, pool) = size_for(len);
        if let Some(bytes) = pool.and_then(Pool::take) {
            return Some(Self { bytes, start: 0, end });
        }
        Some(Self { bytes: fallible::zeroes(size).ok()?, start: 0, end })
    }

    /// Takes or allocates a buffer of `len` bytes with any contents.
    pub(super) fn new(len: usize) -> Self {
        Self::try_new(len).unwrap_or_else(|| Self { bytes: vec![0; len], start: 0, end: len as u32 })
    }

    pub(super) const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start as usize..self.end as usize]
    }

    /// Keeps the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.end -= (self.len() - self.len().min(len)) as u32;
    }

    /// Drops the first `len` bytes.
    pub(super) fn skip(&mut self, len: usize) {
        self.start += self.len().min(len) as u32;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let pool = match self.bytes.len() {
            SMALL => &SMALL_POOL,
            MEDIUM => &MEDIUM_POOL,
            LARGE => &LARGE_POOL,
            _ => return,
        };
        pool.give(core::mem::take(&mut self.bytes));
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.bytes()).finish()
    }
}
