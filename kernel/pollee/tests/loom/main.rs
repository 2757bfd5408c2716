//! The six properties under the model checker, and the faults that each of them must catch.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p pollee --release --test loom` runs every property for every policy, prints
//! how many interleavings that took, and then runs each fault in a process of its own (a deadlock found by
//! loom ends the process) and requires the expected message.
//!
//! The bound is part of the result: interleavings with more preemptions than stated were not tried.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

#[cfg(not(loom))]
compile_error!("this test is built with RUSTFLAGS=\"--cfg loom\"");

mod causal;
mod check;
mod clean;
mod faults;
mod fresh;
mod host;
mod objects;
mod once;
mod persistent;
mod quiet;
mod ready;
mod wait;
mod wake;

use check::Check;

fn checks() -> Vec<Check> {
    [
        fresh::checks(),
        causal::checks(),
        wake::checks(),
        quiet::checks(),
        once::checks(),
        clean::checks(),
        persistent::checks(),
        ready::checks(),
        wait::checks(),
    ]
    .concat()
}

fn main() {
    let checks = checks();
    if let Some(case) = faults::Case::from_environment() {
        case.run(&checks);
        return;
    }
    let mut total = 0;
    for check in &checks {
        total += check.run_and_report();
    }
    println!("{} checks, {total} interleavings, no violation", checks.len());
    let caught = faults::require_all_caught(&checks);
    println!("{caught} seeded faults, each caught with the expected message");
}
