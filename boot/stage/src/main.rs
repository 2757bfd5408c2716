//! The boot stage: what the `bootloader` crate loads as its kernel, between the firmware and OSTD.
//!
//! It finds the real kernel in the bundle beside it, puts everything in place and enters OSTD's 64-bit Linux
//! entry. What can be computed is in `handover`, which has no unsafe code; here is what touches the machine.
//! For the host it is an empty program, so that the workspace can be built as a whole.
//!
//! Why: decision 0060.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(target_os = "none")]
mod enter;
#[cfg(target_os = "none")]
mod physical;
#[cfg(target_os = "none")]
mod serial;
#[cfg(target_os = "none")]
mod stage;

#[cfg(not(target_os = "none"))]
fn main() {}
