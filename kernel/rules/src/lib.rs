//! The rules of the kernel's objects as plain Rust: each is a struct with `&mut self`, tested on the host.
//!
//! No clock, no sleep and no user pointer in here, and no lock but one that is only ever tried: it guards the pools of
//! unused buffers in `net/tcp/pool`. Memory for a program is asked for through `machine/fallible`.
//!
//! | folder | rules of |
//! |---|---|
//! | `abi` | the structures of the ABI that core and machine use |
//! | `core` | pipes, eventfds, timerfds, epoll, descriptors |
//! | `net` | TCP, UDP, Ethernet, virtio |
//! | `linux` | processes' identities, locks, terminals, local sockets, netlink |
//! | `machine` | allocation, address spaces, the screen |
#![no_std]
#![forbid(unsafe_code)]
// `Box` and `Arc` that can fail.
#![feature(allocator_api)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod abi;
pub mod core;
pub mod linux;
pub mod machine;
pub mod net;
