//! Pollux.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use ostd::prelude::*;

#[ostd::main]
fn main() {
    println!("Pollux");
    ostd::power::poweroff(ostd::power::ExitCode::Success);
}
