//! Random operations on pipes, eventfds, timerfds and epolls inside epolls, and what they returned.
//!
//! ```text
//! differential SEED OPERATIONS           one line with a digest for each block of operations
//! differential SEED OPERATIONS BLOCK     the operations of that block, one a line
//! ```
//! The program expects nothing: run on two kernels, its output has to be the same. Whatever it does follows from the
//! seed, and what it prints depends on no number that a kernel may choose freely. `osdk/pollux test` runs it on Linux
//! and on Pollux and compares.

mod helper;
mod log;
mod operate;
mod wait;
mod world;

use std::env;
use std::process::ExitCode;

use crate::log::Log;
use crate::world::World;

/// Operations on one set of files, before all are closed and others made.
const PER_WORLD: u64 = 1000;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    let (seed, operations, shown) = match numbers.as_deref() {
        Some([seed, operations]) => (*seed, *operations, None),
        Some([seed, operations, block]) => (*seed, *operations, Some(*block)),
        _ => {
            eprintln!("differential SEED OPERATIONS [BLOCK]");
            return ExitCode::FAILURE;
        }
    };
    let mut log = Log::new(shown);
    let mut done = 0;
    while done < operations {
        let most = PER_WORLD.min(operations - done);
        World::new(seed.wrapping_add(done), &mut log).run(most);
        done += most;
    }
    log.finish();
    ExitCode::SUCCESS
}
