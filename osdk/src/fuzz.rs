//! The fuzz: makes random system calls on Pollux, which must survive them; a few on Linux check the program.
//!
//! Owns: the seeds, the number of calls, how to repeat a failure.   Not here: the calls (the guest's program `fuzz`).
//! Why: decision 0081.

use std::{path::Path, time::Duration};

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{
    build,
    cli::{Kernel, KernelOptions, TestOptions},
    driven::{self, Driven, Verdict},
    initramfs::Initramfs,
    libtest,
};

/// The name of the program, and its path in the guest.
pub(crate) const NAME: &str = "fuzz";
const GUEST: &str = "/tests/fuzz";

/// Calls for each of `--operations`: they are cheaper than the operations of the differential test.
const CALLS: u64 = 5;

/// Calls on Linux, some seconds' worth: enough to check the program itself.
const CALLS_ON_LINUX: u64 = 30_000;

/// The time of a call in emulation on a busy machine.
const COST: Duration = Duration::from_micros(600);

/// The fuzz, as the options select it.
pub(crate) struct Fuzz {
    seed: u64,
    calls: u64,
    /// The number of CPUs to run with: the largest of all runs, because calls then meet in more ways.
    smp: u8,
}

impl Fuzz {
    pub(crate) fn new(options: &TestOptions) -> Self {
        let calls = options.operations.saturating_mul(CALLS);
        Self { seed: options.seed, calls, smp: options.smp.iter().copied().max().unwrap_or(1) }
    }

    /// Returns the number of calls to make on this kernel.
    fn calls(&self, on: Kernel) -> u64 {
        if on == Kernel::Linux { self.calls.min(CALLS_ON_LINUX) } else { self.calls }
    }

    /// Returns the command that repeats the run.
    fn replay(&self, on: Kernel, stdout: &str) -> String {
        let last = stdout.lines().last().unwrap_or("not one call was reported");
        let options = match on {
            Kernel::Linux => "--on linux",
            Kernel::Pollux => "--append trace=syscalls",
        };
        let command = format!("osdk/pollux exec --smp {} {options}", self.smp);
        let program = format!("target/x86_64-unknown-linux-gnu/release/{NAME}");
        format!("{last}\nagain: {command} -- {program} {} {}\n", self.seed, self.calls(on))
    }
}

impl Driven for Fuzz {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self, files: &mut Initramfs) -> Result<()> {
        files.copy(&build::program(NAME)?, Path::new(GUEST))
    }

    /// Makes the job. The run on Linux is short: it checks the program, not the kernel.
    fn job(&self, kernel: KernelOptions) -> Result<Option<Job>> {
        if kernel.smp != self.smp {
            return Ok(None);
        }
        let calls = self.calls(kernel.on);
        let limit = COST.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
        let words = [GUEST, &self.seed.to_string(), &calls.to_string()];
        driven::job(&words, limit.max(Duration::from_secs(60))).map(Some)
    }

    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        let remark = stdout.lines().last().unwrap_or_default().to_owned();
        Verdict { tally: libtest::one(status), remark, notes: self.replay(kernel.on, stdout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_how_to_see_it_again() {
        let fuzz = Fuzz { seed: 9, calls: 100, smp: 2 };
        let notes = fuzz.replay(Kernel::Pollux, "20 calls, seeds from 9\n40 calls, seeds from 11\n");
        assert!(notes.starts_with("40 calls, seeds from 11\n") && notes.ends_with("fuzz 9 100\n"), "{notes}");
    }
}
