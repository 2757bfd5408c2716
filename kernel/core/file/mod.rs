//! What an open file is, whatever is behind it: descriptors, open file descriptions, files.

pub(crate) mod description;
#[expect(clippy::module_inception, reason = "the trait of files, beside what holds them")]
pub(crate) mod file;
pub(crate) mod location;
pub(crate) mod many;
pub(crate) mod release;
pub(crate) mod table;
