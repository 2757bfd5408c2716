//! When readiness is cached: the only thing in which the three designs differ.
//!
//! All other code is shared, so a comparison of the three compares the policies and nothing else.

/// A choice of when to cache readiness. Implemented by [`Hybrid`], [`Stateful`] and [`Stateless`] alone.
pub trait Policy: sealed::Sealed + Send + Sync + 'static {
    /// For reports.
    const NAME: &'static str;

    /// Whether computed readiness is cached in the word.
    const CACHES: bool;

    /// Whether readiness is in the word from the beginning, and after each change, polled or not.
    const EAGER: bool;
}

/// Caches what a poll has computed: a file that is never polled never writes its word; a file that is polled
/// answers with one load until it changes.
#[derive(Debug)]
pub enum Hybrid {}

/// Caches readiness always: each poll is one load, each change of readiness a write, from birth to death.
#[derive(Debug)]
pub enum Stateful {}

/// Caches nothing: each poll computes under the owner's lock, and no change ever writes the word.
#[derive(Debug)]
pub enum Stateless {}

impl Policy for Hybrid {
    const NAME: &'static str = "hybrid";
    const CACHES: bool = true;
    const EAGER: bool = false;
}

impl Policy for Stateful {
    const NAME: &'static str = "stateful";
    const CACHES: bool = true;
    const EAGER: bool = true;
}

impl Policy for Stateless {
    const NAME: &'static str = "stateless";
    const CACHES: bool = false;
    const EAGER: bool = false;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Hybrid {}
    impl Sealed for super::Stateful {}
    impl Sealed for super::Stateless {}
}
