//! `pollux test`: runs the host's tests, then the guest's on each kernel and CPU count that the options name.
//!
//! Owns: which tests run, and where.   Not here: the guest's tests (`guest`), what is printed (`report`).

mod guest;
mod report;

use std::{
    process::{Command, ExitCode, Output, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use self::report::Ending;
use crate::{
    build,
    cli::{HardwareOptions, Kernel, KernelOptions, Place, Policy, TestOptions},
    dialogue, exhaustion, failures, impairment, ktest,
    libtest::{self, Tally},
    machine::Machine,
    peer,
    starts::{self, Extent},
    toolchain::{self, Executable},
    visited,
};

/// The guest's tests of how long a call keeps the CPU, which are exact where instructions are counted.
const COUNTED: [&str; 1] = ["latency"];

/// Tells the tests with a long form, on the host and in the guest, to run it.
const LONG: (&str, &str) = ("POLLUX_LONG", "1");

/// `pollux test`.
pub(crate) fn command(options: &TestOptions) -> Result<ExitCode> {
    let mut total = Tally::default();
    if options.on.contains(&Place::Host) && options.programs.is_empty() {
        total += on_host(options)?;
    }
    if options.on.contains(&Place::Kernel) && options.programs.is_empty() {
        total += in_kernel(options)?;
    }
    if options.on.contains(&Place::Images) && options.programs.is_empty() && options.filter.is_none() {
        let extent = if options.all_machines { Extent::Full } else { Extent::Short };
        failures::start("Disk images");
        total += starts::run(&options.hardware, extent)?;
    }
    let runs = matrix(&options.on, &options.smp, &options.policy);
    if is_wanted(options, dialogue::NAME, Place::Pollux) {
        total += at_a_terminal(options)?;
    }
    for visited in visited::ALL.iter().filter(|visited| is_meant(options, visited.name)) {
        for &run in runs.iter().filter(|run| (visited.takes)(run, &options.smp)) {
            total += over_the_network(visited, run, options)?;
        }
    }
    if is_meant(options, peer::NAME) {
        for kernel in on_cables(&runs, &options.smp) {
            total += on_a_cable(kernel, options)?;
        }
    }
    if is_wanted(options, impairment::NAME, Place::Pollux) {
        total += on_bad_networks(options)?;
    }
    for scarcity in [&exhaustion::EXHAUSTION, &exhaustion::FAULTS] {
        if is_wanted(options, scarcity.name, Place::Pollux) {
            total += in_scarcity(scarcity, options)?;
        }
    }
    if !runs.is_empty() {
        total += guest::run(&runs, options)?;
    }
    if options.programs.is_empty() && options.filter.is_none() && options.on.contains(&Place::Pollux) {
        total += counted(options)?;
    }
    failures::print();
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.passed + total.failed == 0 {
        bail!("no test case was run");
    }
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the options select a test that runs at `place` only.
fn is_wanted(options: &TestOptions, name: &str, place: Place) -> bool {
    is_meant(options, name) && options.on.contains(&place)
}

/// Whether the options select a test that the host drives: by its name, or with all others.
fn is_meant(options: &TestOptions, name: &str) -> bool {
    match &options.programs[..] {
        [] => options.filter.is_none(),
        names => names.iter().any(|other| other == name),
    }
}

/// Tests the shell of `pollux run`, with the largest CPU count of the options.
fn at_a_terminal(options: &TestOptions) -> Result<Tally> {
    let smp = options.smp.iter().copied().max().unwrap_or(1);
    let kernel = KernelOptions { on: Kernel::Pollux, smp, policy: Policy::default() };
    failures::start(&format!("At a terminal, {smp} CPUs"));
    // Build now, so that the time until the first answer is the guest's.
    build::kernel(kernel.policy, toolchain::Output::OnFailure)?;
    build::program("tour")?;
    let started = Instant::now();
    let (tally, note) = dialogue::run(kernel)?;
    Ok(print_driven(dialogue::NAME, tally, started, note))
}

/// Boots a machine with a network card, and visits it from the host.
fn over_the_network(
    visited: &visited::Visited,
    kernel: KernelOptions,
    options: &TestOptions,
) -> Result<Tally> {
    failures::start(&format!("{}, with a network card", report::title(kernel)));
    let started = Instant::now();
    let (tally, note) = (visited.run)(kernel, &options.hardware, options.long)?;
    if tally.failed == 0 {
        note.lines().for_each(|line| println!("    {line}"));
    }
    Ok(print_driven(visited.name, tally, started, note))
}

/// Selects the runs with a cable: the largest CPU count, and one policy.
fn on_cables(runs: &[KernelOptions], cpus: &[u8]) -> Vec<KernelOptions> {
    let most = cpus.iter().copied().max().unwrap_or(1);
    let policy = runs.iter().find(|run| run.on == Kernel::Pollux).map(|run| run.policy);
    let is_meant =
        |run: &&KernelOptions| run.smp == most && (run.on == Kernel::Linux || Some(run.policy) == policy);
    runs.iter().filter(is_meant).copied().collect()
}

/// Boots a machine whose network cable ends in the kit, and sends it bad packets.
fn on_a_cable(kernel: KernelOptions, options: &TestOptions) -> Result<Tally> {
    failures::start(&format!("{}, with a network cable", report::title(kernel)));
    if kernel.on == Kernel::Pollux {
        build::kernel(kernel.policy, toolchain::Output::OnFailure)?;
    }
    let started = Instant::now();
    let (tally, note) = peer::run(kernel, &options.hardware, options.long, options.seed)?;
    Ok(print_driven(peer::NAME, tally, started, note))
}

/// Runs connections over networks that lose, reorder and damage packets.
fn on_bad_networks(options: &TestOptions) -> Result<Tally> {
    let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy: Policy::default() };
    failures::start("Pollux, instructions counted, on bad networks");
    let mut total = Tally::default();
    impairment::run(kernel, &options.hardware, options.long, |network, tally, elapsed, note| {
        println!("    {network}");
        total += report::print(impairment::NAME, tally, &[], &[], &Ending { status: Some(0), elapsed, note });
    })?;
    Ok(total)
}

/// Runs the tests whose bounds hold where guest time is the number of instructions.
fn counted(options: &TestOptions) -> Result<Tally> {
    let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy: Policy::default() };
    let hardware = HardwareOptions { icount: true, ..options.hardware.clone() };
    let programs = COUNTED.map(str::to_owned).to_vec();
    println!("Instructions counted");
    guest::run(&[kernel], &TestOptions { programs, hardware, ..options.clone() })
}

/// Runs a program where memory ends, with each CPU count of the options.
fn in_scarcity(scarcity: &exhaustion::Scarcity, options: &TestOptions) -> Result<Tally> {
    let mut total = Tally::default();
    for &smp in &options.smp {
        let kernel = KernelOptions { on: Kernel::Pollux, smp, policy: Policy::default() };
        failures::start(&format!("{}, {}", report::title(kernel), scarcity.title));
        scarcity.run(kernel, &options.hardware, options.long, |machine, tally, elapsed, note| {
            println!("    {machine}");
            total +=
                report::print(scarcity.name, tally, &[], &[], &Ending { status: Some(0), elapsed, note });
        })?;
    }
    Ok(total)
}

/// Prints the line of a test that the host drives.
fn print_driven(name: &str, tally: Tally, started: Instant, note: String) -> Tally {
    report::print(name, tally, &[], &[], &Ending { status: Some(0), elapsed: started.elapsed(), note })
}

/// Runs the tests that need no kernel.
fn on_host(options: &TestOptions) -> Result<Tally> {
    failures::start("Host");
    let mut total = Tally::default();
    let programs = build::host_tests()?.into_iter().chain(build::random_schedules()?);
    for program in programs.chain(build::frames_model_check()?) {
        let (output, ending) = run(&program, options)?;
        let tally = libtest::tally(&String::from_utf8_lossy(&output.stdout), ending.status);
        total += report::print(&program.name, tally, &output.stdout, &output.stderr, &ending);
    }
    if options.filter.is_none() {
        for program in build::model_check()? {
            let (output, ending) = run(&program, options)?;
            let tally = libtest::one(ending.status);
            total += report::print(&program.name, tally, &output.stdout, &output.stderr, &ending);
            let stdout = String::from_utf8_lossy(&output.stdout);
            // The last lines say what the check explored, and that it caught each seeded fault.
            summary(&stdout).for_each(|line| println!("    {line}"));
        }
    }
    Ok(total)
}

/// Returns the totals of the model check's output, without the lines per property and fault.
fn summary(stdout: &str) -> impl Iterator<Item = &str> {
    stdout.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
}

/// Runs one test program on the host.
fn run(program: &Executable, options: &TestOptions) -> Result<(Output, Ending)> {
    let started = Instant::now();
    let output = Command::new(&program.path)
        .args(&options.filter)
        .envs(options.long.then_some(LONG))
        .current_dir(&program.directory)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.path.display()))?;
    // A program that a signal killed has no exit code; it has failed.
    let status = output.status.code().map_or(u8::MAX, |code| code as u8);
    Ok((output, Ending { status: Some(status), elapsed: started.elapsed(), note: String::new() }))
}

/// Runs the kernel's own tests. They run with one CPU, because their kernel starts no other.
fn in_kernel(options: &TestOptions) -> Result<Tally> {
    let mut total = Tally::default();
    for &policy in &options.policy {
        failures::start(&format!("Inside the kernel, {policy:?} Pollee"));
        let image = build::ktest_kernel(policy, options.filter.as_deref())?;
        let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy };
        let started = Instant::now();
        let outcome = ktest::run(&Machine::with(kernel, &options.hardware, image)?, options.timeout.0)?;
        let ending = Ending { status: outcome.status, elapsed: started.elapsed(), note: outcome.note };
        let tally = libtest::tally(&outcome.log, ending.status);
        total += report::print("kernel", tally, outcome.log.as_bytes(), &[], &ending);
    }
    Ok(total)
}

/// Lists the runs. Linux has one, which only proves the tests right.
fn matrix(places: &[Place], cpus: &[u8], policies: &[Policy]) -> Vec<KernelOptions> {
    let mut runs = Vec::new();
    for place in places {
        let (on, policies, cpus) = match place {
            Place::Host | Place::Kernel | Place::Images => continue,
            Place::Linux => (Kernel::Linux, &[Policy::Hybrid][..], &cpus[cpus.len().saturating_sub(1)..]),
            Place::Pollux => (Kernel::Pollux, policies, cpus),
        };
        for &policy in policies {
            runs.extend(cpus.iter().map(|&smp| KernelOptions { on, smp, policy }));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_runs_once_and_pollux_with_everything() {
        let runs = matrix(
            &[Place::Host, Place::Linux, Place::Pollux],
            &[1, 2],
            &[Policy::Hybrid, Policy::Stateless],
        );
        let titles: Vec<String> = runs.into_iter().map(report::title).collect();
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
