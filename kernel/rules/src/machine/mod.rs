//! The rules of address spaces and of the screen.

pub mod abi;
pub mod screen;
pub mod transfer;
pub mod vma;
