//! Tests that the host drives: it says what a program of the guest shall do, and judges what that printed.
//!
//! Not here: ordinary guest tests, which judge themselves (`libtest`); the boots (`test`).
//! Why: decision 0080.

use std::{ffi::CString, time::Duration};

use anyhow::{Context, Result};
use pollux_protocol::job::Job;

use crate::{
    cli::{KernelOptions, Place, TestOptions},
    debian,
    differential::{Differential, Subject},
    exec,
    fuzz::{self, Fuzz},
    initramfs::Initramfs,
    libtest::Tally,
    python::{self, Python},
    stress::{self, Stress},
    workload::{self, Workload},
};

/// One such test.
pub(crate) trait Driven {
    /// The name that `--test` takes.
    fn name(&self) -> &'static str;

    /// Puts what it needs into the guest, once for all kernels.
    fn pack(&self, files: &mut Initramfs) -> Result<()>;

    /// What a guest with this kernel shall do; `None` leaves it out.
    fn job(&self, kernel: KernelOptions) -> Result<Option<Job>>;

    /// Judges what the program printed and how it ended: `None` if the kernel did before.
    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict;
}

/// How a test went on one kernel.
pub(crate) struct Verdict {
    pub(crate) tally: Tally,
    /// One line that is always printed, unless empty.
    pub(crate) remark: String,
    /// What to look at if a case failed.
    pub(crate) notes: String,
}

/// The names that are no guest test of cargo's.
pub(crate) const NAMES: [&str; 6] =
    [Subject::Files.name(), Subject::Tcp.name(), fuzz::NAME, python::NAME, stress::NAME, workload::NAME];

/// The tests that were asked for. Those that compare need both kernels.
pub(crate) fn chosen(options: &TestOptions) -> Vec<Box<dyn Driven>> {
    let is_meant = |name: &str| match &options.programs[..] {
        [] => options.filter.is_none(),
        names => names.iter().any(|asked| asked == name),
    };
    let can_compare = [Place::Linux, Place::Pollux].iter().all(|place| options.on.contains(place));
    let mut tests: Vec<Box<dyn Driven>> = Vec::new();
    if can_compare && is_meant(workload::NAME) {
        tests.push(Box::new(Workload::default()));
    }
    // Elsewhere than on Debian nobody fetches the programs of this one and the next.
    if can_compare && is_meant(python::NAME) && debian::is_here() {
        tests.push(Box::new(Python::default()));
    }
    for subject in [Subject::Files, Subject::Tcp] {
        if can_compare && is_meant(subject.name()) && options.operations > 0 {
            tests.push(Box::new(Differential::new(subject, options.seed, options.operations)));
        }
    }
    if options.on.contains(&Place::Pollux) && is_meant(stress::NAME) && debian::is_here() {
        tests.push(Box::new(Stress::new(options)));
    }
    if is_meant(fuzz::NAME) && options.operations > 0 {
        tests.push(Box::new(Fuzz::new(options)));
    }
    tests
}

/// A program of the guest with its arguments, in the standard environment.
pub(crate) fn job(words: &[&str], timeout: Duration) -> Result<Job> {
    let argv: Result<_, _> = words.iter().map(|word| CString::new(*word)).collect();
    let argv = argv.context("an argument contains a NUL byte")?;
    Ok(Job { argv, env: exec::environment(&[])?, timeout: Some(timeout) })
}
