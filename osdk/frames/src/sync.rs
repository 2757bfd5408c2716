//! The atomics: the machine's, or those of the model checker.

#[cfg(not(feature = "loom"))]
pub(crate) use core::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "loom")]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
