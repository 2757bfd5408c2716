//! The syscalls.

pub(crate) mod memory;
