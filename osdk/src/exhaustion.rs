//! The tests of memory's end: machines with little memory, and a kernel whose allocations fail on purpose.
//!
//! Owns: how much memory, which failures.   Not here: what the programs do (tests/tests/exhaustion.rs,
//! tests/tests/faults.rs), which allocations fail (kernel/rules, `machine/injection`).
//! Why: decision 0114.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use pollux_protocol::message::Cause;

use crate::{
    batch, build,
    cli::{HardwareOptions, KernelOptions, value},
    driven, exec,
    initramfs::Initramfs,
    libtest::{self, Tally},
    machine::Machine,
};

/// A program and the machines that it runs on.
pub(crate) struct Scarcity {
    /// The name for `--test`, which is the program's.
    pub(crate) name: &'static str,
    /// The title of the runs.
    pub(crate) title: &'static str,
    /// Each machine's memory and addition to the command line; the first ones are the short form.
    machines: &'static [(&'static str, &'static str)],
    /// The number of machines in the short form.
    few: usize,
}

/// Machines with little memory.
pub(crate) const EXHAUSTION: Scarcity = Scarcity {
    name: "exhaustion",
    title: "with little memory",
    machines: &[("192M", ""), ("256M", ""), ("512M", "")],
    few: 1,
};

/// A kernel whose allocations fail on purpose.
pub(crate) const FAULTS: Scarcity = Scarcity {
    name: "faults",
    title: "whose allocations fail",
    machines: &[
        ("512M", "fail_alloc=1/100,seed=1"),
        ("512M", "fail_alloc=1/10,seed=2"),
        ("512M", "fail_alloc=1/3,seed=3"),
        ("512M", "fail_alloc=1/30,seed=4"),
        ("512M", "fail_alloc=1/300,seed=5"),
    ],
    few: 2,
};

/// The time limit of one machine.
const LIMIT: Duration = Duration::from_secs(900);

impl Scarcity {
    /// Runs the program on each machine, and passes each result to `seen`.
    pub(crate) fn run(
        &self,
        kernel: KernelOptions,
        hardware: &HardwareOptions,
        is_long: bool,
        mut seen: impl FnMut(&str, Tally, Duration, String),
    ) -> Result<()> {
        let programs = build::guest_tests(&[self.name.to_owned()])?;
        let program = programs.first().context("the program is missing")?;
        let guest = Path::new("/tests").join(self.name);
        let mut job = driven::job(&[&guest.to_string_lossy()], LIMIT)?;
        let mut words = vec!["RUST_TEST_THREADS=1".to_owned(), "POLLUX_SCARCE=1".to_owned()];
        words.extend(is_long.then(|| "POLLUX_LONG=1".to_owned()));
        job.env = exec::environment(&words)?;
        let mut files = Initramfs::new()?;
        files.copy(&program.path, &guest)?;
        for (memory, word) in &self.machines[..if is_long { self.machines.len() } else { self.few }] {
            let mem = value::size(memory).map_err(anyhow::Error::msg)?;
            let mut hardware = HardwareOptions { mem, ..hardware.clone() };
            hardware.append.extend((!word.is_empty()).then(|| (*word).to_owned()));
            let machine = Machine::prepare(kernel, &hardware)?;
            batch::run(&machine, &files, std::slice::from_ref(&job), |_, record| {
                let stdout = String::from_utf8_lossy(&record.stdout);
                let stderr = String::from_utf8_lossy(&record.stderr);
                let (status, elapsed, reason) = match record.result {
                    batch::Ending::Ended(end) => {
                        let is_late = end.cause == Cause::Timeout;
                        let reason = if is_late { "ended by its time limit" } else { "" };
                        (Some(end.exit_status()), end.elapsed, reason.to_owned())
                    }
                    batch::Ending::Down(reason) => (None, Duration::ZERO, reason),
                };
                let note = format!("{stdout}{stderr}{reason}");
                seen(&format!("{memory} {word}"), libtest::tally(&stdout, status), elapsed, note);
            })?;
        }
        Ok(())
    }
}
