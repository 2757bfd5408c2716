//! The numbers of the ABI of memory.

pub mod mman;
