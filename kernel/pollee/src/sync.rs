//! The atomics: the machine's, or those of the model checker or the random scheduler.

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(feature = "loom")]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(all(feature = "shuttle", not(feature = "loom")))]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering, fence};
