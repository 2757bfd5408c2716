//! The rules of memory, of address spaces and of the screen.

pub mod abi;
pub mod fallible;
pub mod injection;
pub mod screen;
pub mod transfer;
pub mod vma;
