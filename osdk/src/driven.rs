//! Tests that the host drives: it gives a program of the guest its task, and judges its output.
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

/// A test that the host drives.
pub(crate) trait Driven {
    /// Its name for `--test`.
    fn name(&self) -> &'static str;

    /// Adds the files that the test needs to the guest, once for all kernels.
    fn pack(&self, files: &mut Initramfs) -> Result<()>;

    /// Returns the job for a guest with this kernel; `None` skips the kernel.
    fn job(&self, kernel: KernelOptions) -> Result<Option<Job>>;

    /// Judges the program's output and exit status. The status is `None` if the kernel went down.
    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict;
}

/// The result of a test on one kernel.
pub(crate) struct Verdict {
    pub(crate) tally: Tally,
    /// A line that the kit always prints, unless it is empty.
    pub(crate) remark: String,
    /// Details to print if a case failed.
    pub(crate) notes: String,
}

/// The names of these tests, which cargo does not build as guest tests.
pub(crate) const NAMES: [&str; 6] =
    [Subject::Files.name(), Subject::Tcp.name(), fuzz::NAME, python::NAME, stress::NAME, workload::NAME];

/// Returns the tests that the options select. Those that compare need both kernels.
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
    // The kit fetches the programs of the Python and stress tests on Debian only.
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

/// Makes the job for a program of the guest with these arguments, in the standard environment.
pub(crate) fn job(words: &[&str], timeout: Duration) -> Result<Job> {
    let argv: Result<_, _> = words.iter().map(|word| CString::new(*word)).collect();
    let argv = argv.context("an argument contains a NUL byte")?;
    Ok(Job { argv, env: exec::environment(&[])?, timeout: Some(timeout) })
}
