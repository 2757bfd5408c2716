//! The numbers and layouts of Linux's x86_64 ABI.

pub mod errno;
