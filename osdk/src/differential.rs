//! The differential test: compares the results of the same random operations on Linux and on Pollux.
//!
//! Owns: the comparison, and the command that repeats a difference.   Not here: the operations (the guest's program
//! `differential`), the boots (`test`).

use std::{path::Path, time::Duration};

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{
    build,
    cli::{Kernel, KernelOptions},
    driven::{self, Driven, Verdict},
    initramfs::Initramfs,
    libtest::{self, Tally},
};

/// The name of the program, and its path in the guest.
const PROGRAM: &str = "differential";
const GUEST: &str = "/tests/differential";

/// The number of operations on one set of files, and of those in one digest.
const PER_WORLD: u64 = 1000;
const PER_BLOCK: u64 = 250;

/// The time of an operation on the slower kernel, in emulation on a busy machine.
const COST: Duration = Duration::from_millis(3);

/// The files that the operations use.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    /// Pipes, eventfds, timerfds and epolls.
    Files,
    /// Both ends of TCP connections.
    Tcp,
}

impl Subject {
    /// Returns the test's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Files => "differential",
            Self::Tcp => "differential_tcp",
        }
    }

    /// Returns the program's argument for it.
    const fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Tcp => "tcp",
        }
    }

    /// Scales a number of operations on files to this subject: operations on connections wait for each other.
    const fn share(self, operations: u64) -> u64 {
        match self {
            Self::Files => operations,
            Self::Tcp => operations / 10,
        }
    }
}

/// The operations, and Linux's output for them.
pub(crate) struct Differential {
    subject: Subject,
    seed: u64,
    operations: u64,
    reference: Option<String>,
}

impl Differential {
    pub(crate) fn new(subject: Subject, seed: u64, operations: u64) -> Self {
        Self { subject, seed, operations: subject.share(operations), reference: None }
    }

    /// Compares Pollux's output with Linux's. Each block counts as a case.
    fn compare(&self, stdout: &str) -> (Tally, String) {
        let Some(reference) = &self.reference else {
            return (Tally::default(), String::new());
        };
        let mut ours = blocks(stdout);
        let (mut tally, mut notes) = (Tally::default(), String::new());
        for (block, digest) in (0..).zip(blocks(reference)) {
            if ours.next() == Some(digest) {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                notes += &self.replay(block);
            }
        }
        (tally, notes)
    }

    /// Returns the command that shows the operations of a block.
    fn replay(&self, block: u64) -> String {
        let first = block * PER_BLOCK;
        let seed = self.seed.wrapping_add(first / PER_WORLD * PER_WORLD);
        let (block, path) = (first % PER_WORLD / PER_BLOCK, "target/x86_64-unknown-linux-gnu/release");
        let command = format!("-- {path}/{PROGRAM} {} {seed} {PER_WORLD} {block}", self.subject.word());
        format!("differs: osdk/pollux exec --on linux {command}, and without `--on linux`\n")
    }
}

impl Driven for Differential {
    fn name(&self) -> &'static str {
        self.subject.name()
    }

    fn pack(&self, files: &mut Initramfs) -> Result<()> {
        files.copy_once(&build::program(PROGRAM)?, Path::new(GUEST))
    }

    fn job(&self, _: KernelOptions) -> Result<Option<Job>> {
        let timeout = COST.saturating_mul(u32::try_from(self.operations).unwrap_or(u32::MAX));
        let words = [GUEST, self.subject.word(), &self.seed.to_string(), &self.operations.to_string()];
        driven::job(&words, timeout.max(Duration::from_secs(30))).map(Some)
    }

    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        let (mut tally, mut notes) = (libtest::one(status), String::new());
        if status == Some(0) {
            match kernel.on {
                Kernel::Linux => self.reference = Some(stdout.to_owned()),
                Kernel::Pollux => (tally, notes) = self.compare(stdout),
            }
        }
        // The program's statistics about waits.
        let remark = stdout.lines().last().unwrap_or_default().to_owned();
        Verdict { tally, remark, notes }
    }
}

/// Returns the digests, in order, without the last line: the statistics about waits depend on time.
fn blocks(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| line.starts_with("block "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_differs_or_is_missing_fails_and_tells_how_to_see_it() {
        let mut test = Differential::new(Subject::Files, 7, 1500);
        test.reference = Some("block 0 aa\nblock 1 bb\nblock 4 cc\n1500 operations\n".to_owned());
        let (tally, notes) = test.compare("block 0 aa\nblock 1 b0\n");
        assert_eq!((tally.passed, tally.failed), (1, 2));
        assert!(notes.contains("differential files 7 1000 1,"), "{notes}");
        let (tally, _) = test.compare("block 0 aa\nblock 1 bb\nblock 4 cc\n1499 operations\n");
        assert_eq!((tally.passed, tally.failed), (3, 0));
    }

    #[test]
    fn the_second_world_has_a_seed_of_its_own() {
        assert!(
            Differential::new(Subject::Files, 7, 2000).replay(5).contains("differential files 1007 1000 1,")
        );
    }
}
