//! Does random operations and prints their results: on pipes, eventfds, timerfds and nested epolls, or on both ends of
//! TCP connections.
//!
//! ```text
//! differential files|tcp SEED OPERATIONS           one line with a digest for each block of operations
//! differential files|tcp SEED OPERATIONS BLOCK     the operations of that block, one a line
//! ```
//! The program expects no particular result: its output must be the same on two kernels. Its operations follow from the
//! seed, and its output depends on no number that a kernel may choose freely. `osdk/pollux test` runs it on Linux and
//! on Pollux and compares.

mod helper;
mod log;
mod operate;
mod process;
mod tcp;
mod wait;
mod world;

use std::env;
use std::process::ExitCode;

use crate::log::Log;
use crate::world::World;

/// The number of operations on one set of files, before the program closes them and makes others.
const PER_WORLD: u64 = 1000;

/// The files that the operations use.
#[derive(Clone, Copy)]
enum Subject {
    Files,
    Tcp,
}

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let subject = match words.next().as_deref() {
        Some("files") => Some(Subject::Files),
        Some("tcp") => Some(Subject::Tcp),
        _ => None,
    };
    let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
    let (subject, seed, operations, shown) = match (subject, numbers.as_deref()) {
        (Some(subject), Some([seed, operations])) => (subject, *seed, *operations, None),
        (Some(on_tcp), Some([seed, operations, block])) => {
            (on_tcp, *seed, *operations, Some(*block))
        }
        _ => {
            eprintln!("differential files|tcp SEED OPERATIONS [BLOCK]");
            return ExitCode::FAILURE;
        }
    };
    if matches!(subject, Subject::Tcp) {
        stay_on_one_cpu();
    }
    let mut log = Log::new(shown);
    let mut done = 0;
    while done < operations {
        let most = PER_WORLD.min(operations - done);
        let seed = seed.wrapping_add(done);
        match subject {
            Subject::Files => World::new(seed, &mut log).run(most),
            Subject::Tcp => tcp::World::new(seed, &mut log).run(most),
        }
        done += most;
    }
    log.finish();
    ExitCode::SUCCESS
}

/// Runs on one CPU: on Linux the time at which a packet reaches another CPU is random.
fn stay_on_one_cpu() {
    let cpus: u64 = 1;
    // SAFETY: the kernel reads the eight bytes.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of_val(&cpus), (&raw const cpus).cast()) };
    assert_eq!(result, 0, "the first CPU is there");
}
