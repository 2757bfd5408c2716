//! `pollux test`: the guest tests, on each kernel and CPU count that was asked for.

use std::{ffi::CString, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use pollux_protocol::{job::Job, message::Cause};

use crate::{
    batch::{self, Ending, Record},
    build,
    cli::{Kernel, KernelOptions, Policy, TestOptions},
    exec,
    initramfs::Initramfs,
    libtest::{self, Tally},
    machine::Machine,
};

/// Tests that fork or count descriptors cannot share their process with others.
const ONE_AT_A_TIME: &str = "RUST_TEST_THREADS=1";

/// `pollux test`.
pub(crate) fn command(options: &TestOptions) -> Result<ExitCode> {
    let programs = build::tests(&options.programs)?;
    let mut files = Initramfs::new()?;
    let mut jobs = Vec::new();
    for program in &programs {
        let guest = Path::new("/tests").join(&program.name);
        files.copy(&program.path, &guest)?;
        jobs.push(job(&guest, options)?);
    }
    for (host, guest) in &options.files.files {
        files.copy(host, guest)?;
    }
    let mut total = Tally::default();
    for kernel in matrix(&options.on, &options.smp, &options.policy) {
        let machine = Machine::prepare(kernel, &options.hardware)?;
        println!("{}", title(kernel));
        batch::run(&machine, &files, &jobs, |index, record| total += report(&programs[index].name, &record))?;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.passed + total.failed == 0 {
        bail!("no test case was run");
    }
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn job(guest: &Path, options: &TestOptions) -> Result<Job> {
    let words = [guest.to_str()].into_iter().chain([options.filter.as_deref()]).flatten();
    let argv: Result<_, _> = words.map(CString::new).collect();
    let env = exec::environment(&[ONE_AT_A_TIME.to_owned(), "RUST_BACKTRACE=1".to_owned()])?;
    Ok(Job { argv: argv.context("the filter contains a NUL byte")?, env, timeout: options.timeout.0 })
}

/// The runs. Linux, which only proves the tests right, has one.
fn matrix(kernels: &[Kernel], cpus: &[u8], policies: &[Policy]) -> Vec<KernelOptions> {
    let mut runs = Vec::new();
    for &on in kernels {
        let (policies, cpus) = match on {
            Kernel::Pollux => (policies, cpus),
            Kernel::Linux => (&[Policy::Hybrid][..], &cpus[cpus.len().saturating_sub(1)..]),
        };
        for &policy in policies {
            runs.extend(cpus.iter().map(|&smp| KernelOptions { on, smp, policy }));
        }
    }
    runs
}

fn title(kernel: KernelOptions) -> String {
    let cpus = if kernel.smp == 1 { "CPU" } else { "CPUs" };
    match kernel.on {
        Kernel::Linux => format!("Linux, {} {cpus}", kernel.smp),
        Kernel::Pollux => format!("Pollux, {:?} Pollee, {} {cpus}", kernel.policy, kernel.smp),
    }
}

/// Prints the line of one program, and everything it said unless all is well.
fn report(name: &str, record: &Record) -> Tally {
    let stdout = String::from_utf8_lossy(&record.stdout);
    let (status, note) = match &record.result {
        Ending::Ended(end) => {
            let status = end.exit_status();
            let note = match (end.cause, status) {
                (Cause::Timeout, _) => ", ended by its time limit".to_owned(),
                // 101 is how the harness says that a case failed.
                (Cause::Program, 0 | 101) => String::new(),
                (Cause::Program, status) => format!(", exit status {status}"),
            };
            (Some(status), format!("{:.1} s{note}", end.elapsed.as_secs_f64()))
        }
        Ending::Down(_) => (None, "down".to_owned()),
    };
    let tally = libtest::tally(&stdout, status);
    let ignored = if tally.ignored == 0 { String::new() } else { format!(", {} ignored", tally.ignored) };
    println!("  {name:<24} {:>4} passed {:>4} failed{ignored}   {note}", tally.passed, tally.failed);
    if tally.failed > 0 {
        let reason = match &record.result {
            Ending::Ended(_) => "",
            Ending::Down(reason) => reason,
        };
        for text in [&*stdout, &*String::from_utf8_lossy(&record.stderr), reason] {
            text.lines().for_each(|line| println!("    | {line}"));
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_runs_once_and_pollux_with_everything() {
        let runs = matrix(&[Kernel::Linux, Kernel::Pollux], &[1, 2], &[Policy::Hybrid, Policy::Stateless]);
        let titles: Vec<String> = runs.into_iter().map(title).collect();
        assert_eq!(
            titles,
            [
                "Linux, 2 CPUs",
                "Pollux, Hybrid Pollee, 1 CPU",
                "Pollux, Hybrid Pollee, 2 CPUs",
                "Pollux, Stateless Pollee, 1 CPU",
                "Pollux, Stateless Pollee, 2 CPUs",
            ]
        );
    }
}
