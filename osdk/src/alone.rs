//! A guest's test that has each boot to itself, because the machine is part of the test.
//!
//! Owns: its files, its job, and what came of a boot.   Not here: the machines (`impairment`, `exhaustion`).

use std::{path::Path, slice, time::Duration};

use anyhow::{Context, Result};
use pollux_protocol::{job::Job, message::Cause};

use crate::{
    batch, build, driven, exec,
    initramfs::Initramfs,
    libtest::{self, Tally},
    machine::Machine,
};

/// A test program, packed for boots of its own.
pub(crate) struct Alone {
    files: Initramfs,
    job: Job,
}

/// What came of a boot.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
    /// Details to print if a case failed.
    pub(crate) note: String,
}

impl Alone {
    /// Builds the test `program`. It gets the environment variable `mark`, which says that the machine is special.
    pub(crate) fn new(program: &str, limit: Duration, mark: &str, is_long: bool) -> Result<Self> {
        let programs = build::guest_tests(&[program.to_owned()])?;
        let executable = programs.first().context("the program is missing")?;
        let guest = Path::new("/tests").join(program);
        let mut job = driven::job(&[&guest.to_string_lossy()], limit)?;
        let mut words = vec!["RUST_TEST_THREADS=1".to_owned(), format!("{mark}=1")];
        words.extend(is_long.then(|| "POLLUX_LONG=1".to_owned()));
        job.env = exec::environment(&words)?;
        let mut files = Initramfs::new()?;
        files.copy(&executable.path, &guest)?;
        Ok(Self { files, job })
    }

    /// Boots the machine and runs the test.
    pub(crate) fn run(&self, machine: &Machine) -> Result<Outcome> {
        let mut outcome = None;
        batch::run(machine, &self.files, slice::from_ref(&self.job), |_, record| {
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
            outcome = Some(Outcome { tally: libtest::tally(&stdout, status), elapsed, note });
        })?;
        outcome.context("the machine did not run its job")
    }
}
