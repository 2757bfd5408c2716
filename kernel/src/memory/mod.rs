//! User memory: address spaces, faults, and the copies across the border.

pub mod budget;
pub mod current;
pub mod fault;
pub mod layout;
pub mod limits;
pub mod pages;
pub mod reclaim;
pub mod shared;
pub mod space;
pub mod transfer;
pub mod user;

#[cfg(ktest)]
mod tests;
