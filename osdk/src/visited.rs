//! The tests whose guest has a network card and is visited from the host.
//!
//! Not here: the visits (`network`, `servers`), the boots of other tests (`test`).

use anyhow::Result;

use crate::{
    cli::{HardwareOptions, KernelOptions},
    debian,
    libtest::Tally,
    network, servers,
};

/// What the visits of one test brought.
#[derive(Default)]
pub(crate) struct Visits {
    pub(crate) tally: Tally,
    /// What to print.
    pub(crate) notes: String,
}

impl Visits {
    /// Notes how the visit with this name went.
    pub(crate) fn note(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.tally.passed += 1,
            Err(error) => {
                self.tally.failed += 1;
                self.notes += &format!("{name}: {error:#}\n");
            }
        }
    }
}

/// One such test.
pub(crate) struct Visited {
    /// The name that `--test` takes.
    pub(crate) name: &'static str,
    /// Whether it makes this run, of those with these CPU counts.
    pub(crate) takes: fn(&KernelOptions, &[u8]) -> bool,
    /// Boots, visits, perhaps at length, and gives what to print.
    pub(crate) run: fn(KernelOptions, &HardwareOptions, bool) -> Result<(Tally, String)>,
}

/// All of them.
pub(crate) const ALL: [Visited; 2] = [
    Visited { name: network::NAME, takes: |_, _| true, run: network::run },
    // With the most CPUs: servers have threads and children. Elsewhere than on Debian nobody fetches them.
    Visited {
        name: servers::NAME,
        takes: |kernel, cpus| Some(&kernel.smp) == cpus.iter().max() && debian::is_here(),
        run: servers::run,
    },
];
