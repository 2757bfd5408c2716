//! The crate on threads of the standard library: sentences, random sequences against a model, stress.

mod behaviour;
mod sequence;
mod stress;
mod threads;
