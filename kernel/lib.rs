//! Pollux: a small kernel on OSTD that shows how I/O event notification can be done well.
//!
//! `kernel/README.md` is the map: layers, lock order, "to change X open Y".

// OSTD exists on bare metal only. For other targets the crate is empty, so that commands for the whole workspace
// work.
#![cfg(target_os = "none")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod core;
mod linux;
mod machine;
mod net;
mod panic;
mod start;

#[ostd::main]
fn main() {
    start::start();
}
