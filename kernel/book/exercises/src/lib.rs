//! The exercises of the book. Each module is one, and `tests` has the test of the same name that grades it.
//!
//! With the feature `solved` the tests grade the solutions.

#[cfg_attr(feature = "solved", path = "solved/fair.rs")]
pub mod fair;
#[cfg_attr(feature = "solved", path = "solved/faults.rs")]
pub mod faults;
pub mod host;
#[cfg_attr(feature = "solved", path = "solved/port.rs")]
pub mod port;
#[cfg_attr(feature = "solved", path = "solved/slot.rs")]
pub mod slot;
