//! The rules of the kernel as plain Rust: what files, sockets, terminals and memory areas do.
//!
//! A rule is a struct with `&mut self` that is tested on the host. It has no clock, sleep or user pointer, and takes no lock
//! for its state: whoever owns it locks. The pools of freed memory have locks of their own, which are only tried.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod abi;
pub mod core;
pub mod linux;
pub mod machine;
pub mod net;
