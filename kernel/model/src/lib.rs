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
pub mod access;
pub mod bits;
pub mod capability;
pub mod checksum;
pub mod command_line;
pub mod cpio;
pub mod credentials;
pub mod door;
pub mod epoll;
pub mod ethernet;
pub mod eventfd;
pub mod fd;
pub mod impairment;
pub mod lock;
pub mod neighbour;
pub mod netlink;
pub mod network;
pub mod path;
pub mod pci;
pub mod pipe;
pub mod proc_net;
pub mod pty;
pub mod record_lock;
pub mod route;
pub mod screen;
pub mod seals;
pub mod seek;
pub mod socket;
pub mod tcp;
pub mod timerfd;
pub mod transfer;
pub mod tty;
pub mod udp;
pub mod unix;
pub mod virtio;
pub mod vma;
