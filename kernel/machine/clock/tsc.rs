//! The monotonic clock, read from the processor's time-stamp counter.
//!
//! OSTD's figure for the counter's rate was off by half a percent in one measurement, so it is measured again against
//! the HPET if there is one.

use core::sync::atomic::{AtomicU64, Ordering};

use ostd::arch::{read_tsc, tsc_freq};

use super::hpet::Hpet;

const NANOS: u128 = 1_000_000_000;

/// Nanoseconds per count, as a fraction of 2^32.
static SCALE: AtomicU64 = AtomicU64::new(1 << 32);
static START: AtomicU64 = AtomicU64::new(0);

/// Measures the rate for five milliseconds.
pub(super) fn calibrate(hpet: Option<&Hpet>) {
    let rate = hpet.map_or_else(|| u128::from(tsc_freq()), measure);
    let scale = (NANOS << 32) / rate.max(1);
    SCALE.store(u64::try_from(scale).unwrap_or(1 << 32), Ordering::Relaxed);
    START.store(read_tsc(), Ordering::Relaxed);
}

fn measure(hpet: &Hpet) -> u128 {
    let (from, tsc_from) = (hpet.counter(), read_tsc());
    let span = u32::try_from(hpet.frequency() / 200).unwrap_or(u32::MAX);
    loop {
        let (at, tsc_at) = (hpet.counter(), read_tsc());
        let passed = at.wrapping_sub(from);
        if passed >= span {
            return u128::from(tsc_at - tsc_from) * u128::from(hpet.frequency()) / u128::from(passed);
        }
    }
}

/// Returns the nanoseconds since [`calibrate`].
#[inline]
pub(super) fn now() -> u64 {
    let count = read_tsc().wrapping_sub(START.load(Ordering::Relaxed));
    let nanos = (u128::from(count) * u128::from(SCALE.load(Ordering::Relaxed))) >> 32;
    // Overflows after 584 years.
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
