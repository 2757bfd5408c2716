//! Makes random system calls: any number, any argument, from many processes and threads at once.
//!
//! ```text
//! fuzz SEED OPERATIONS
//! ```
//! A victim's calls follow from its seed, which is SEED plus its index; the interleaving of victims does not. The run
//! passes if every victim can be killed, the memory is back, and the kernel still works. The host notices a panic or a
//! hang: `osdk/pollux test` prints the seeds that ran last.
//!
//! It needs a kernel of its own: it excludes only calls that would end the run, not those that would spoil a machine.
//!
//! Why: decision 0081.

mod arguments;
mod calls;
mod check;
mod scratch;
mod supervisor;
mod victim;

use std::env;
use std::process::ExitCode;

use crate::supervisor::Supervisor;

/// The memory that a kernel may keep: its caches and counters, and ordinary fluctuation.
const KEPT: u64 = 4 << 20;

/// The number of calls before the first measurement of memory, so that caches are full by then.
const WARM_UP: u64 = 20_000;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    let Some([seed, operations]) = numbers.as_deref() else {
        eprintln!("fuzz SEED OPERATIONS");
        return ExitCode::FAILURE;
    };
    let mut supervisor = Supervisor::new(*seed);
    supervisor.run(WARM_UP.min(*operations));
    let before = check::free_memory();
    supervisor.run(*operations);
    let lost = check::loss(before, KEPT);
    check::sanity();
    println!("{}, {} KiB of memory kept", supervisor.summary(), lost >> 10);
    if lost > KEPT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
