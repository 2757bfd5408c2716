//! What `pollux test` prints: the title of each run, a line for each test program.

use std::time::Duration;

use pollux_protocol::message::Cause;

use crate::{
    batch,
    cli::{Kernel, KernelOptions},
    failures,
    libtest::Tally,
};

/// Names a run: its kernel, policy and CPU count.
pub(super) fn title(kernel: KernelOptions) -> String {
    let cpus = if kernel.smp == 1 { "CPU" } else { "CPUs" };
    match kernel.on {
        Kernel::Linux => format!("Linux, {} {cpus}", kernel.smp),
        Kernel::Pollux => format!("Pollux, {:?} Pollee, {} {cpus}", kernel.policy, kernel.smp),
    }
}

/// How a test program ended.
pub(super) struct Ending {
    /// The exit status; `None` if the kernel went down before the program ended.
    pub(super) status: Option<u8>,
    pub(super) elapsed: Duration,
    /// Details to print if a case failed.
    pub(super) note: String,
}

impl From<batch::Ending> for Ending {
    fn from(ending: batch::Ending) -> Self {
        match ending {
            batch::Ending::Ended(end) => {
                let note = match end.cause {
                    Cause::Program => String::new(),
                    Cause::Timeout => "ended by its time limit".to_owned(),
                };
                Self { status: Some(end.exit_status()), elapsed: end.elapsed, note }
            }
            batch::Ending::Down(reason) => Self { status: None, elapsed: Duration::ZERO, note: reason },
        }
    }
}

/// Prints the line of one program, and all its output if a case failed.
pub(super) fn print(name: &str, tally: Tally, stdout: &[u8], stderr: &[u8], ending: &Ending) -> Tally {
    let ignored = if tally.ignored == 0 { String::new() } else { format!(" {:>4} ignored", tally.ignored) };
    let status = match ending.status {
        // The harness exits with 101 if a case failed.
        Some(0 | 101) => String::new(),
        Some(status) => format!("   exit status {status}"),
        None => "   the kernel went down".to_owned(),
    };
    let seconds = ending.elapsed.as_secs_f64();
    println!(
        "  {name:<24} {:>4} passed {:>4} failed{ignored} {seconds:>7.1} s{status}",
        tally.passed, tally.failed
    );
    if tally.failed > 0 {
        let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
        let output = [&*stdout, &*stderr, &*ending.note];
        for text in output {
            text.lines().for_each(|line| println!("    | {line}"));
        }
        failures::add(name, &output);
    }
    tally
}
