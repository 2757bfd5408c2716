//! Bytes for packets and queues, from memory that has served before.
//!
//! Owns: a few buffers of three sizes that nobody uses, so that a packet costs neither an allocation nor the zeroing of
//! what is overwritten at once.
//! Invariant: what a buffer held before is never shown: whoever takes one writes it before others read it.
//! Why: decision 0098.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::engine::{BUFFER, LARGE_BUFFER};
use super::spare::Spares;

/// Bytes of the headers of a packet and of a link, and a few more.
const SMALL: usize = 256;

/// Bytes of what a connection's buffer holds, as one packet within the machine: at first…
const MEDIUM: usize = BUFFER + SMALL;

/// …and when it moves more than a few bytes.
const LARGE: usize = LARGE_BUFFER + SMALL;

static SMALL_SPARES: Spares<Vec<u8>> = Spares::new(64);
static MEDIUM_SPARES: Spares<Vec<u8>> = Spares::new(32);
static LARGE_SPARES: Spares<Vec<u8>> = Spares::new(16);

/// The size of buffer for so many bytes, and those that are kept. What would waste more than half is allocated as it is.
fn size_for(len: usize) -> (usize, Option<&'static Spares<Vec<u8>>>) {
    const HALF_MEDIUM: usize = MEDIUM / 2;
    const HALF_LARGE: usize = LARGE / 2;
    match len {
        0..=SMALL => (SMALL, Some(&SMALL_SPARES)),
        HALF_MEDIUM..=MEDIUM => (MEDIUM, Some(&MEDIUM_SPARES)),
        HALF_LARGE..=LARGE => (LARGE, Some(&LARGE_SPARES)),
        _ => (len, None),
    }
}

/// Some bytes.
#[derive(Default)]
pub(super) struct Buffer {
    /// All of them, also those before `start` and from `end` on.
    bytes: Vec<u8>,
    start: u32,
    end: u32,
}

impl Buffer {
    /// A buffer of `len` bytes that may be anything. `None`: no memory.
    pub(super) fn try_new(len: usize) -> Option<Self> {
        let end = u32::try_from(len).ok()?;
        let (size, spares) = size_for(len);
        if let Some(bytes) = spares.and_then(Spares::take) {
            return Some(Self { bytes, start: 0, end });
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).ok()?;
        bytes.resize(size, 0);
        Some(Self { bytes, start: 0, end })
    }

    /// A buffer of `len` bytes that may be anything.
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

    /// Forgets the first `len` bytes.
    pub(super) fn skip(&mut self, len: usize) {
        self.start += self.len().min(len) as u32;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let spares = match self.bytes.len() {
            SMALL => &SMALL_SPARES,
            MEDIUM => &MEDIUM_SPARES,
            LARGE => &LARGE_SPARES,
            _ => return,
        };
        spares.give(core::mem::take(&mut self.bytes));
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
