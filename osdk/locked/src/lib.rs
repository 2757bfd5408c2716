//! Says so when the kernel is built with other crates than the checked-in lock file has.
//!
//! `make` builds from that file. `cargo osdk run` builds a crate of its own making, which cargo resolves
//! anew: it may end up with versions that nobody has tried. The build script compares the two.
//! The crate itself is empty; it exists because `cargo osdk` does not recognise a kernel crate that has a
//! build script.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod lock;
