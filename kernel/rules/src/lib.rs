//! What happens: the rules of pipes, eventfds, epoll and file descriptors, as plain Rust.
//!
//! No lock, no clock, no sleep and no user pointer in here; every rule is a struct with `&mut self` that
//! is tested on the host.
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
