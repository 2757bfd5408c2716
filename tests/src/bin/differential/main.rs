//! Random operations and what they returned: on pipes, eventfds, timerfds and epolls inside epolls, or on both ends of
//! TCP connections.
//!
//! ```text
//! differential files|tcp SEED OPERATIONS           one line with a digest for each block of operations
//! differential files|tcp SEED OPERATIONS BLOCK     the operations of that block, one a line
//! ```
//! The program expects nothing: run on two kernels, its output has to be the same. Whatever it does follows from the
//! seed, and what it prints depends on no number that a kernel may choose freely. `osdk/pollux test` runs it on Linux
//! and on Pollux and compares.

mod helper;
mod log;
mod operate;
mod tcp;
mod wait;
mod world;

use std::env;
use std::process::ExitCode;

use crate::log::Log;
use crate::world::World;

/// Operations on one set of files, before all are closed and others made.
const PER_WORLD: u64 = 1000;

/// What the operations are about.
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

/// When a packet arrives on another CPU is Linux's chance.
fn stay_on_one_cpu() {
    let cpus: u64 = 1;
    // SAFETY: the kernel reads the eight bytes.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of_val(&cpus), (&raw const cpus).cast()) };
    assert_eq!(result, 0, "the first CPU is there");
}
