//! The vDSO: a shared object that the kernel maps into each program, so that reading a clock needs no system call.
//!
//! `image/vdso.rs` is the program's side, [`IMAGE`] its linked form, [`Data`] the page that both sides share. The kernel
//! maps the image, then the page, and tells the program the address with `AT_SYSINFO_EHDR`.
//!
//! Source: vdso(7); Linux 6.1 Documentation/ABI/stable/vdso.

#![no_std]
// The image is a program of its own, with a root of its own.
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod data;

pub use data::{Data, Figures};

/// The image, an ELF shared object. Its loaded part fits one page; it expects the data in the next.
pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));

#[cfg(test)]
mod tests;
