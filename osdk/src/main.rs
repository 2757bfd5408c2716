//! The host-side kit.
fn main() {}
