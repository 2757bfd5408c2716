//! The differential test: the same random operations on Linux and on Pollux, every result compared.
//!
//! Owns: what is compared, and how a difference can be seen again.   Not here: the operations (the guest's program
//! `differential`), the boots (`test`).

use std::{ffi::CString, time::Duration};

use anyhow::{Context, Result};
use pollux_protocol::job::Job;

use crate::{exec, libtest::Tally};

/// The program, in the guest and among ours.
pub(crate) const NAME: &str = "differential";
pub(crate) const GUEST: &str = "/tests/differential";

/// Operations on one set of files, whose seed is the first one's and their number; and those in one digest.
const PER_WORLD: u64 = 1000;
const PER_BLOCK: u64 = 250;

/// What an operation takes on the slower kernel, in emulation on a busy machine.
const COST: Duration = Duration::from_millis(3);

/// The operations that are compared, and what Linux said of them.
pub(crate) struct Differential {
    seed: u64,
    operations: u64,
    reference: Option<String>,
}

impl Differential {
    pub(crate) fn new(seed: u64, operations: u64) -> Self {
        Self { seed, operations, reference: None }
    }

    pub(crate) fn job(&self) -> Result<Job> {
        let words = [GUEST.to_owned(), self.seed.to_string(), self.operations.to_string()];
        let argv: Result<_, _> = words.into_iter().map(CString::new).collect();
        let timeout = COST.saturating_mul(u32::try_from(self.operations).unwrap_or(u32::MAX));
        let timeout = Some(timeout.max(Duration::from_secs(30)));
        Ok(Job { argv: argv.context("a number contains a NUL byte")?, env: exec::environment(&[])?, timeout })
    }

    /// Takes what Linux printed.
    pub(crate) fn learn(&mut self, stdout: &[u8]) {
        self.reference = Some(String::from_utf8_lossy(stdout).into_owned());
    }

    /// Compares what Pollux printed: the cases are the blocks. Without Linux's word there are none.
    pub(crate) fn compare(&self, stdout: &[u8]) -> (Tally, String) {
        let Some(reference) = &self.reference else {
            return (Tally::default(), String::new());
        };
        let ours = String::from_utf8_lossy(stdout);
        let mut ours = blocks(&ours);
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

    /// How to see the operations of a block.
    fn replay(&self, block: u64) -> String {
        let first = block * PER_BLOCK;
        let seed = self.seed.wrapping_add(first / PER_WORLD * PER_WORLD);
        let (block, path) = (first % PER_WORLD / PER_BLOCK, "target/x86_64-unknown-linux-gnu/release");
        let command = format!("-- {path}/{NAME} {seed} {PER_WORLD} {block}");
        format!("differs: osdk/pollux exec --on linux {command}, and without `--on linux`\n")
    }
}

/// The digests, in order. The last line, about the waits, depends on time.
fn blocks(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| line.starts_with("block "))
}

/// What the program says of the waits.
pub(crate) fn shares(stdout: &[u8]) -> String {
    String::from_utf8_lossy(stdout).lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_differs_or_is_missing_fails_and_tells_how_to_see_it() {
        let mut test = Differential::new(7, 1500);
        test.learn(b"block 0 aa\nblock 1 bb\nblock 4 cc\n1500 operations\n");
        let (tally, notes) = test.compare(b"block 0 aa\nblock 1 b0\n");
        assert_eq!((tally.passed, tally.failed), (1, 2));
        assert!(notes.contains("differential 7 1000 1,"), "{notes}");
        let (tally, _) = test.compare(b"block 0 aa\nblock 1 bb\nblock 4 cc\n1499 operations\n");
        assert_eq!((tally.passed, tally.failed), (3, 0));
    }

    #[test]
    fn the_second_world_has_a_seed_of_its_own() {
        assert!(Differential::new(7, 2000).replay(5).contains("differential 1007 1000 1,"));
    }
}
