//! Tests whose guest has a network card, and which the host visits.
//!
//! Not here: the visits (`network`, `servers`), the boots of other tests (`test`).

use anyhow::Result;

use crate::{
    cli::{HardwareOptions, KernelOptions},
    debian,
    libtest::Tally,
    network, servers,
};

/// The results of a test's visits.
#[derive(Default)]
pub(crate) struct Visits {
    pub(crate) tally: Tally,
    /// Text to print.
    pub(crate) notes: String,
}

impl Visits {
    /// Notes the result of the visit with this name.
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

/// A test with visits from the host.
pub(crate) struct Visited {
    /// Its name for `--test`.
    pub(crate) name: &'static str,
    /// Whether the test takes part in this run, given all CPU counts of the options.
    pub(crate) takes: fn(&KernelOptions, &[u8]) -> bool,
    /// Boots, makes the visits (the long form if the flag is set), and returns the results and a text to print.
    pub(crate) run: fn(KernelOptions, &HardwareOptions, bool) -> Result<(Tally, String)>,
}

/// All tests with visits.
pub(crate) const ALL: [Visited; 2] = [
    Visited { name: network::NAME, takes: |_, _| true, run: network::run },
    // Servers have threads and children, so this takes the largest CPU count. The kit fetches them on Debian only.
    Visited {
        name: servers::NAME,
        takes: |kernel, cpus| Some(&kernel.smp) == cpus.iter().max() && debian::is_here(),
        run: servers::run,
    },
];
