//! Files that are not in a tree: what they hold, and when they are ready.

pub(crate) mod serial;
pub(crate) mod terminal;
