//! Pauses in long computations of the kernel.
//!
//! The kernel is preempted only where it says so. A loop whose length a program chooses says so in each round, with
//! [`pause`], and one that may take longer than a few milliseconds ends when its thread must, with [`Killed`].
//! Why: decision 0119.

use ostd::task::preemption_point;
use spin::Once;

static IS_DYING: Once<fn() -> bool> = Once::new();

/// The current thread must end, so it needs no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Killed;

/// Installs what tells if the current thread must end; threads lie above the machine.
pub(crate) fn install(is_dying: fn() -> bool) {
    IS_DYING.call_once(|| is_dying);
}

/// Lets another task run if one should. Does nothing while a spin lock is held.
#[inline]
pub(crate) fn pause() {
    preemption_point();
}

/// Pauses as [`pause`] does.
///
/// # Errors
/// [`Killed`]: the current thread must end.
#[inline]
pub(crate) fn pause_unless_killed() -> Result<(), Killed> {
    pause();
    is_killed()
}

/// Returns whether the current thread must end.
///
/// # Errors
/// [`Killed`]: it must.
#[inline]
pub(crate) fn is_killed() -> Result<(), Killed> {
    if IS_DYING.get().is_some_and(|is_dying| is_dying()) { Err(Killed) } else { Ok(()) }
}
