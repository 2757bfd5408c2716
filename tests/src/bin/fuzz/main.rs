//! Random system calls: any number, any argument, from many processes and threads at once.
//!
//! ```text
//! fuzz SEED OPERATIONS
//! ```
//! What a victim does follows from its seed, which is SEED and its index; how victims meet does not. It passes when
//! every victim can be killed, memory is back where it was, and the kernel still works. That the kernel neither
//! panics nor hangs is the host's to notice: `osdk/pollux test` prints the seeds that ran last.
//!
//! It needs a kernel that is its own: left out is only what would end the run, not what would spoil a machine.
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

/// What a kernel may keep: its caches and counters, and what moves anyway.
const KEPT: u64 = 4 << 20;

/// Calls before memory is first looked at, so that caches are full by then.
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
