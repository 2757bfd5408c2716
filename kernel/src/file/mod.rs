//! What an open file is, whatever is behind it.

pub mod file;
