//! Descriptors, open file descriptions, and the operations that every kind of file has.

pub(crate) mod description;
pub(crate) mod location;
pub(crate) mod poll_set;
pub(crate) mod release;
pub(crate) mod table;
pub(crate) mod traits;
