//! The boot stage: the program between firmware and OSTD, which the `bootloader` crate loads as its kernel.
//!
//! It finds the real kernel in the bundle beside it, puts each part in place and enters OSTD's 64-bit Linux
//! entry. All computations are in `handover`, which has no unsafe code; this crate touches the machine.
//! For the host it is an empty program, so that the whole workspace builds.
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
