//! The data page: what the kernel tells the image.
//!
//! Both compile this file, so that they cannot disagree on the layout or on the arithmetic.

use core::sync::atomic::{AtomicU64, Ordering};

/// The page behind the image, which programs may read and only the kernel writes.
///
/// `sequence` is odd while the kernel writes the rest. A reader that saw it odd, or different afterwards, reads again.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Data {
    /// The number of writes that began or ended.
    pub sequence: AtomicU64,
    /// 1 if programs may read the time-stamp counter themselves, 0 if they must ask the kernel.
    pub is_trusted: AtomicU64,
    /// The time-stamp counter at the start of `CLOCK_MONOTONIC`.
    pub start: AtomicU64,
    /// Nanoseconds for each count, times 2³².
    pub scale: AtomicU64,
    /// `CLOCK_REALTIME` less `CLOCK_MONOTONIC`, in nanoseconds.
    pub realtime: AtomicU64,
}

/// The figures of a [`Data`], read at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Figures {
    /// See [`Data::start`].
    pub start: u64,
    /// See [`Data::scale`].
    pub scale: u64,
    /// See [`Data::realtime`].
    pub realtime: u64,
}

impl Data {
    /// Returns the words in the order of memory.
    #[must_use]
    pub fn words(&self) -> [u64; 5] {
        [&self.sequence, &self.is_trusted, &self.start, &self.scale, &self.realtime]
            .map(|word| word.load(Ordering::Relaxed))
    }

    /// Reads the figures and then the counter; `None` if the counter is not to be trusted.
    ///
    /// The counter is read between the two reads of the sequence, so that it belongs to the figures.
    #[inline(always)]
    pub fn read(&self, counter: impl Fn() -> u64) -> Option<(Figures, u64)> {
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            if sequence & 1 == 0 {
                if self.is_trusted.load(Ordering::Relaxed) == 0 {
                    return None;
                }
                let figures = Figures {
                    start: self.start.load(Ordering::Relaxed),
                    scale: self.scale.load(Ordering::Relaxed),
                    realtime: self.realtime.load(Ordering::Relaxed),
                };
                let count = counter();
                core::sync::atomic::fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == sequence {
                    return Some((figures, count));
                }
            }
            core::hint::spin_loop();
        }
    }
}

impl Figures {
    /// Returns `CLOCK_MONOTONIC` at this count, in nanoseconds. A count before the start is the start.
    #[inline(always)]
    #[must_use]
    pub fn nanoseconds(&self, count: u64) -> u64 {
        let passed = count.saturating_sub(self.start);
        // The result overflows after 584 years.
        ((u128::from(passed) * u128::from(self.scale)) >> 32) as u64
    }
}
