//! Warns when a build of the kernel uses crates that differ from the checked-in lock file.
//!
//! `make` builds from that file. `cargo osdk run` generates a crate and cargo resolves it anew, possibly to
//! versions that are untested. The build script compares the two.
//! The crate itself is empty. It exists because `cargo osdk` does not recognise a kernel crate with a build
//! script.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod lock;
