//! The rules of address spaces, of the screen and of scheduling.

pub mod abi;
pub mod scheduling;
pub mod screen;
pub mod transfer;
pub mod vma;
