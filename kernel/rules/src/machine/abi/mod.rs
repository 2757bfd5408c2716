//! The constants of the memory calls.

pub mod mman;
