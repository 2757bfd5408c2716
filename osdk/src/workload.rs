//! The workload: compares the output of each step of a shell script on Linux and on Pollux.
//!
//! Owns: the form of a step, and the display of a difference.   Not here: the steps (tests/workload/script.sh).
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

/// Its name for `--test`.
pub(crate) const NAME: &str = "workload";

/// The host's dynamically linked programs that the last steps use.
const LINKED: [&str; 2] = ["/usr/bin/ls", "/usr/bin/sort"];

/// The time limit. The script takes half a minute in emulation, on an idle machine.
const LIMIT: Duration = Duration::from_secs(240);

/// The line that begins a step.
const MARK: &str = "== ";

/// The script, and Linux's output.
#[derive(Default)]
pub(crate) struct Workload(Comparison);

/// The output of a script's steps on Linux, to compare Pollux's with.
#[derive(Default)]
pub(crate) struct Comparison {
    reference: Option<String>,
}

impl Comparison {
    /// Keeps Linux's output, or compares Pollux's with it.
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

    /// Compares Pollux's output with Linux's. Each step counts as a case.
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

/// Splits output into steps, each from its mark to the next mark. Text before the first mark belongs to the first step.
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
