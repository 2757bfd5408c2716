//! The allocator on the host: examples, random sequences against a set of free frames, and threads.

#![cfg(not(feature = "loom"))]
#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

mod behaviour;
mod machine;
mod sequence;
mod threads;
