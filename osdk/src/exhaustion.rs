//! The tests of memory's end: machines with little memory, and a kernel whose allocations fail on purpose.
//!
//! Owns: how much memory, which failures.   Not here: what the programs do (tests/tests/exhaustion.rs,
//! tests/tests/faults.rs), which allocations fail (kernel/rules, `machine/injection`).
//! Why: decision 0114.

use std::time::Duration;

use anyhow::Result;

use crate::{
    alone::Alone,
    cli::{HardwareOptions, KernelOptions, value},
    libtest::Tally,
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
        let test = Alone::new(self.name, LIMIT, "POLLUX_SCARCE", is_long)?;
        for (memory, word) in &self.machines[..if is_long { self.machines.len() } else { self.few }] {
            let mem = value::size(memory).map_err(anyhow::Error::msg)?;
            let mut hardware = HardwareOptions { mem, ..hardware.clone() };
            hardware.append.extend((!word.is_empty()).then(|| (*word).to_owned()));
            let machine = Machine::prepare(kernel, &hardware)?;
            let outcome = test.run(&machine)?;
            seen(&format!("{memory} {word}"), outcome.tally, outcome.elapsed, outcome.note);
        }
        Ok(())
    }
}
