//! The crate on threads of the standard library: sentences, random sequences against a model, stress.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

mod behaviour;
mod sequence;
mod stress;
mod survivors;
mod threads;
mod trace;
