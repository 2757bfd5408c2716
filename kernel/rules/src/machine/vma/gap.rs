//! Finds free address ranges, from the top down.
//!
//! A plain walk visits every area above the gap that it finds, so each mapping of a program with many costs more. So
//! the search remembers where the last one ended, and the largest gap above that: a request for a larger one starts
//! there.

use core::ops::Range;

/// What earlier searches learnt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    /// Where the last search ended; `None` if the next must start at the top.
    from: Option<usize>,
    /// No gap above `from` is larger than this.
    skipped: usize,
    /// The window that both belong to.
    top: usize,
}

impl Search {
    /// An area that ended at `end` is gone: there may be room up to there.
    pub(super) fn note_removal(&mut self, end: usize) {
        if self.from.is_some_and(|from| end > from) {
            self.from = None;
            self.skipped = 0;
        }
    }

    /// Finds the highest `len` free bytes in `window`.
    ///
    /// `area_before(addr)` gives the last area that starts below `addr`, and whether it grows down (then
    /// `guard` bytes below it stay free).
    pub(super) fn run(
        &mut self,
        len: usize,
        window: Range<usize>,
        guard: usize,
        area_before: impl Fn(usize) -> Option<(Range<usize>, bool)>,
    ) -> Option<usize> {
        if self.top != window.end || len <= self.skipped {
            *self = Self { from: None, skipped: 0, top: window.end };
        }
        let mut end = self.from.unwrap_or(window.end).min(window.end);
        loop {
            let before = area_before(end);
            let low = before.as_ref().map_or(0, |(area, _)| area.end).max(window.start);
            let free = end.saturating_sub(low);
            if free >= len {
                let found = end - len;
                self.from = Some(end);
                return Some(found);
            }
            self.skipped = self.skipped.max(free);
            let (area, grows) = before?;
            let next = area.start.saturating_sub(if grows { guard } else { 0 });
            if next <= window.start {
                return None;
            }
            end = next;
        }
    }
}
