//! What the boot stage computes before it hands over to OSTD's 64-bit Linux entry.
//!
//! Everything here takes bytes and numbers and gives bytes and numbers; the stage reads and writes memory.
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
