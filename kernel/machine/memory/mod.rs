//! User memory: address spaces, faults, and the copies across the border.

pub(crate) mod budget;
pub(crate) mod fault;
pub(crate) mod layout;
pub(crate) mod limits;
pub(crate) mod pages;
pub(crate) mod reclaim;
pub(crate) mod shared;
pub(crate) mod space;
pub(crate) mod transfer;
pub(crate) mod user;

#[cfg(ktest)]
mod tests;
