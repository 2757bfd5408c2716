//! User memory: address spaces, page faults, and copies to and from it.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod fault;
pub(crate) mod layout;
pub(crate) mod limits;
pub(crate) mod paged;
pub(crate) mod pages;
pub(crate) mod reclaim;
pub(crate) mod shared;
pub(crate) mod space;
pub(crate) mod transfer;
pub(crate) mod user;
pub(crate) mod vdso;

#[cfg(ktest)]
mod tests;
