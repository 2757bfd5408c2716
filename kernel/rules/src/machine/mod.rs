//! The rules of memory, of address spaces, of the screen and of scheduling.

pub mod abi;
pub mod fallible;
pub mod injection;
pub mod scheduling;
pub mod screen;
pub mod transfer;
pub mod vma;
