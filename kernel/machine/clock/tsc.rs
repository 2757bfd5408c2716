//! The monotonic clock, read from the processor's time-stamp counter.
//!
//! OSTD's figure for the counter's rate was off by half a percent in one measurement, so it is measured again against
//! the HPET if there is one.

use core::sync::atomic::{AtomicU64, Ordering};

use ostd::arch::cpu::cpuid::cpuid;
use ostd::arch::{read_tsc, tsc_freq};
use vdso::Figures;

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
    figures(0).nanoseconds(read_tsc())
}

/// Returns what programs need to compute the same, with the offset of `CLOCK_REALTIME`.
#[inline]
pub(super) fn figures(realtime: u64) -> Figures {
    Figures { start: START.load(Ordering::Relaxed), scale: SCALE.load(Ordering::Relaxed), realtime }
}

/// Whether the processor promises that the counter runs at one rate, or a hypervisor, which keeps one clock for all its
/// processors, is below.
pub(super) fn is_steady() -> bool {
    const HYPERVISOR: u32 = 1 << 31;
    const INVARIANT: u32 = 1 << 8;
    cpuid(1, 0).is_some_and(|leaf| leaf.ecx & HYPERVISOR != 0)
        || cpuid(0x8000_0007, 0).is_some_and(|leaf| leaf.edx & INVARIANT != 0)
}
