//! Time: the monotonic and the wall clock, and timers that wake tasks.

pub(crate) mod deferred;
mod hpet;
mod rtc;
pub(crate) mod timer;
mod tsc;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use vdso::Figures;

/// The offset of `CLOCK_REALTIME` to the monotonic clock, in nanoseconds.
static REALTIME_OFFSET: AtomicU64 = AtomicU64::new(0);

/// Measures the clocks' rates and starts the timers; called once, before the first task.
pub(crate) fn start() {
    let hpet = hpet::find();
    tsc::calibrate(hpet.as_ref());
    REALTIME_OFFSET.store(rtc::seconds_since_epoch() * 1_000_000_000 - tsc::now(), Ordering::Relaxed);
    timer::start(hpet);
}

/// Returns `CLOCK_MONOTONIC`: the time since boot.
#[inline]
pub(crate) fn now() -> Duration {
    Duration::from_nanos(tsc::now())
}

/// Returns [`now`] in nanoseconds.
#[inline]
pub(crate) fn nanoseconds() -> u64 {
    tsc::now()
}

/// Returns the figures with which programs read both clocks themselves; `None` if the counter may run unevenly.
pub(crate) fn figures() -> Option<Figures> {
    tsc::is_steady().then(|| tsc::figures(REALTIME_OFFSET.load(Ordering::Relaxed)))
}

/// Returns `CLOCK_REALTIME`: the time since 1970.
pub(crate) fn realtime() -> Duration {
    Duration::from_nanos(tsc::now() + REALTIME_OFFSET.load(Ordering::Relaxed))
}
