//! The workload: a shell script of ordinary commands on Linux and on Pollux, every step's output compared.
//!
//! Owns: what a step is, and how a difference is shown.   Not here: the steps (tests/workload/script.sh).
//! Why: decision 0080.

use std::{path::Path, time::Duration};

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{
    cli::{Kernel, KernelOptions},
    driven::{Driven, Verdict},
    initramfs::Initramfs,
    libraries,
    libtest::{self, Tally},
    script,
};

/// What `--test` calls it.
pub(crate) const NAME: &str = "workload";

/// Programs of the host with shared libraries, which the last steps use.
const LINKED: [&str; 2] = ["/usr/bin/ls", "/usr/bin/sort"];

/// Half a minute in emulation, on a machine with nothing else to do.
const LIMIT: Duration = Duration::from_secs(240);

/// The line that begins a step.
const MARK: &str = "== ";

/// The script, and what Linux printed.
#[derive(Default)]
pub(crate) struct Workload(Comparison);

/// The output of a script's steps on Linux, which that on Pollux has to be the same as.
#[derive(Default)]
pub(crate) struct Comparison {
    reference: Option<String>,
}

impl Comparison {
    /// Keeps what Linux printed, or compares with it.
    pub(crate) fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        let (tally, notes) = match kernel.on {
            Kernel::Linux => {
                self.reference = Some(stdout.to_owned());
                (libtest::one(status), stdout.to_owned())
            }
            Kernel::Pollux => self.compare(stdout),
        };
        Verdict { tally, remark: String::new(), notes }
    }

    /// Compares what Pollux printed: the cases are the steps.
    fn compare(&self, stdout: &str) -> (Tally, String) {
        let (mut tally, mut notes) = (Tally::default(), String::new());
        let mut ours = steps(stdout);
        for theirs in self.reference.iter().flat_map(|reference| steps(reference)) {
            let seen = ours.next().unwrap_or_default();
            if seen == theirs {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                notes += &format!("on Linux:\n{theirs}on Pollux:\n{seen}\n");
            }
        }
        (tally, notes)
    }
}

impl Driven for Workload {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self, files: &mut Initramfs) -> Result<()> {
        script::pack(NAME, files)?;
        let linked = LINKED.map(Path::new);
        linked.iter().try_for_each(|program| files.copy_once(program, program))?;
        libraries::pack(&linked, files)
    }

    fn job(&self, _: KernelOptions) -> Result<Option<Job>> {
        script::job(NAME, &[], LIMIT).map(Some)
    }

    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        self.0.judge(kernel, stdout, status)
    }
}

/// The steps, each from its mark to the next one's. What stands before the first mark belongs to it.
fn steps(output: &str) -> impl Iterator<Item = &str> {
    let mut rest = output;
    std::iter::from_fn(move || {
        let inner = rest.get(1..)?;
        let end = inner.find(&format!("\n{MARK}")).map_or(rest.len(), |at| at + 2);
        let (step, after) = rest.split_at(end);
        rest = after;
        Some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "== one\n1\n-- 0\n== two\n-- 1\n== three\n3\n-- 0\n";

    fn compare(output: &str) -> (u32, u32, String) {
        let test = Comparison { reference: Some(REFERENCE.to_owned()) };
        let (tally, notes) = test.compare(output);
        (tally.passed, tally.failed, notes)
    }

    #[test]
    fn steps_end_where_the_next_one_begins() {
        let seen: Vec<&str> = steps(REFERENCE).collect();
        assert_eq!(seen, ["== one\n1\n-- 0\n", "== two\n-- 1\n", "== three\n3\n-- 0\n"]);
        assert_eq!(steps("").count(), 0);
    }

    #[test]
    fn the_same_output_passes() {
        assert_eq!(compare(REFERENCE), (3, 0, String::new()));
    }

    #[test]
    fn a_step_that_differs_or_is_missing_fails_and_is_shown() {
        let (passed, failed, notes) = compare("== one\n1\n-- 0\n== two\n-- 0\n");
        assert_eq!((passed, failed), (1, 2));
        assert!(notes.contains("on Pollux:\n== two\n-- 0\n"), "{notes}");
        assert_eq!(compare("").1, 3);
    }
}
