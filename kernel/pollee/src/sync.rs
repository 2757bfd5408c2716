//! The atomics: the machine's, or those of the model checker or the random scheduler.

#[cfg(not(any(loom, shuttle)))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering, fence};

/// Declares functions `const`, except where the scheduler's atomics cannot be made at compile time.
macro_rules! const_fn {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),*) -> Self $body:block)*) => {$(
        #[cfg(not(any(loom, shuttle)))]
        $(#[$attribute])* $visibility const fn $name($($argument: $type),*) -> Self $body
        #[cfg(any(loom, shuttle))]
        $(#[$attribute])* $visibility fn $name($($argument: $type),*) -> Self $body
    )*};
}
pub(crate) use const_fn;
