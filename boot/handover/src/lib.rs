//! Computes what the boot stage needs before it enters OSTD's 64-bit Linux entry.
//!
//! This crate maps bytes and numbers to bytes and numbers; only the stage reads and writes memory.
//! Why: decision 0060.
//! Source: Linux 6.1 Documentation/x86/boot.rst, "64-bit Boot Protocol".
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod acpi;
pub mod boot_params;
pub mod bundle;
pub mod cpu;
pub mod kernel;
pub mod memory_map;
pub mod place;
pub mod refusal;
pub mod screen;

pub use refusal::Refusal;
