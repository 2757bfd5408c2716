//! Exercise: seed a fault and find it.
//!
//! `kernel/pollee/tests/loom` can run with a mistake in the protocol. Each number below stands for one; loom shows an
//! interleaving in which a promise is broken. Read it, and write down the name of the fault, as in `pollee::fault::Fault`.

/// The number of a case, and the fault that you think it has.
pub const ANSWERS: [(usize, &str); 4] = [(6, ""), (8, ""), (9, ""), (30, "")];
