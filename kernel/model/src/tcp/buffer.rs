//! Bytes for packets and queues, from memory that has served before.
//!
//! Owns: a few buffers of two sizes that nobody uses, so that a packet costs neither an allocation nor the zeroing of
//! what is overwritten at once.
//! Invariant: what a buffer held before is never shown: whoever takes one writes it before others read it.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::spare::Spares;

/// Bytes of a small buffer: room for headers and a few bytes.
const SMALL: usize = 256;

/// Bytes of a large buffer: room for a full segment within the machine, its headers, and a link's.
const LARGE: usize = super::engine::BUFFER + 256;

/// Less than this is allocated as it is, and wastes no large buffer.
const LARGE_FROM: usize = LARGE / 2;

static SMALL_SPARES: Spares<Vec<u8>> = Spares::new(64);
static LARGE_SPARES: Spares<Vec<u8>> = Spares::new(64);

/// Some bytes.
pub(super) struct Buffer {
    /// All of them, also those beyond `len`.
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` bytes that may be anything. `None`: no memory.
    pub(super) fn try_new(len: usize) -> Option<Self> {
        let (size, spares) = match len {
            0..=SMALL => (SMALL, Some(&SMALL_SPARES)),
            LARGE_FROM..=LARGE => (LARGE, Some(&LARGE_SPARES)),
            _ => (len, None),
        };
        if let Some(bytes) = spares.and_then(Spares::take) {
            return Some(Self { bytes, len });
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).ok()?;
        bytes.resize(size, 0);
        Some(Self { bytes, len })
    }

    /// A buffer of `len` bytes that may be anything.
    pub(super) fn new(len: usize) -> Self {
        Self::try_new(len).unwrap_or_else(|| Self { bytes: vec![0; len], len })
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Keeps the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match self.bytes.len() {
            SMALL => SMALL_SPARES.give(core::mem::take(&mut self.bytes)),
            LARGE => LARGE_SPARES.give(core::mem::take(&mut self.bytes)),
            _ => {}
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len);
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
