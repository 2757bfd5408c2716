//! What an open file is, whatever is behind it: descriptors, open file descriptions, files.

pub(crate) mod description;
pub(crate) mod location;
pub(crate) mod poll_set;
pub(crate) mod release;
pub(crate) mod table;
pub(crate) mod traits;
