//! Timers that wake tasks at a deadline.
//!
//! Owns: the deadlines.   Not here: sleeping (task), what a timer is for (its owner).
//!
//! OSTD's tick comes every millisecond and runs the expired timers. Only a timer that expires before the next tick
//! uses the HPET, so most timers, which are cancelled long before, never touch the device.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use ostd::sync::{LocalIrqDisabled, SpinLock, Waker};
use spin::Once;

use super::hpet::Hpet;
use super::now;
use crate::machine::kernel_task::Sleeper;

const TICK: Duration = Duration::from_millis(1);

type TimerKey = (Duration, u64);

static TIMERS: SpinLock<BTreeMap<TimerKey, Arc<dyn Expire>>, LocalIrqDisabled> =
    SpinLock::new(BTreeMap::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static HPET: Once<Hpet> = Once::new();

/// What a timer does when it expires.
pub(crate) trait Expire: Send + Sync {
    /// Called in interrupt context: wakes a task, and no more.
    fn expire(&self);
}

/// An armed timer; dropping it cancels it.
#[must_use]
pub(crate) struct Timer(TimerKey);

/// Calls `sleeper` at `deadline` of the monotonic clock, or soon if that is past.
pub(crate) fn arm(deadline: Duration, sleeper: Arc<dyn Expire>) -> Timer {
    let key = (deadline, NEXT_ID.fetch_add(1, Ordering::Relaxed));
    let mut timers = TIMERS.lock();
    let is_first = timers.first_key_value().is_none_or(|(first, _)| key < *first);
    timers.insert(key, sleeper);
    if is_first {
        program(deadline);
    }
    Timer(key)
}

impl Drop for Timer {
    fn drop(&mut self) {
        // The entry is dropped after the lock is released.
        let _sleeper = TIMERS.lock().remove(&self.0);
    }
}

impl Expire for Waker {
    fn expire(&self) {
        self.wake_up();
    }
}

/// Makes a kernel task sleep until it is woken or until `deadline`.
pub(crate) fn sleep_until(sleeper: &Sleeper, deadline: Option<Duration>) {
    let _timer = deadline.map(|deadline| arm(deadline, sleeper.waker()));
    sleeper.sleep();
}

/// Starts the timers. Called by [`super::start`].
pub(super) fn start(hpet: Option<Hpet>) {
    if let Some(hpet) = hpet.and_then(|hpet| hpet.with_interrupt(expire)) {
        HPET.call_once(|| hpet);
    }
    ostd::timer::register_callback_on_cpu(expire);
}

/// Runs the expired timers, in interrupt context.
fn expire() {
    loop {
        let due = {
            let mut timers = TIMERS.lock();
            match timers.first_entry() {
                Some(first) if first.key().0 <= now() => first.remove(),
                Some(first) => return program(first.key().0),
                None => return,
            }
        };
        due.expire();
    }
}

fn program(deadline: Duration) {
    let left = deadline.saturating_sub(now());
    if left < TICK
        && let Some(hpet) = HPET.get()
    {
        hpet.interrupt_in(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
    }
}
