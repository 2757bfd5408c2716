//! `pollux test`: the host's tests, then the guest's on each kernel and CPU count that was asked for.

use std::{
    collections::VecDeque,
    ffi::CString,
    fs,
    ops::Range,
    path::Path,
    process::{Command, ExitCode, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use pollux_protocol::{job::Job, message::Cause};

use crate::{
    batch, build,
    cli::{HardwareOptions, Kernel, KernelOptions, Place, Policy, TestOptions},
    dialogue, driven, exec, image, impairment,
    initramfs::Initramfs,
    ktest,
    libtest::{self, Tally},
    machine::Machine,
    peer, script,
    starts::{self, Extent},
    toolchain::{self, Executable},
    visited,
};

/// Tests that fork or count descriptors cannot share their process with others.
const ONE_AT_A_TIME: &str = "RUST_TEST_THREADS=1";

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
    if !runs.is_empty() {
        total += in_guest(&runs, options)?;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.passed + total.failed == 0 {
        bail!("no test case was run");
    }
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a test that the host drives is to be run: by its name, or with everything else.
fn is_wanted(options: &TestOptions, name: &str, place: Place) -> bool {
    is_meant(options, name) && options.on.contains(&place)
}

/// The same wherever it is run.
fn is_meant(options: &TestOptions, name: &str) -> bool {
    match &options.programs[..] {
        [] => options.filter.is_none(),
        names => names.iter().any(|other| other == name),
    }
}

/// Talks to the shell that `pollux run` ends in, with the most CPUs that were asked for.
fn at_a_terminal(options: &TestOptions) -> Result<Tally> {
    let smp = options.smp.iter().copied().max().unwrap_or(1);
    let kernel = KernelOptions { on: Kernel::Pollux, smp, policy: Policy::default() };
    println!("At a terminal, {smp} CPUs");
    // So that the time until the first answer is the guest's.
    build::kernel(kernel.policy, toolchain::Output::OnFailure)?;
    build::program("tour")?;
    let started = Instant::now();
    let (tally, note) = dialogue::run(kernel)?;
    Ok(report(dialogue::NAME, tally, &[], &[], &Ending { status: Some(0), elapsed: started.elapsed(), note }))
}

/// Boots a machine with a network card, and visits it.
fn over_the_network(
    visited: &visited::Visited,
    kernel: KernelOptions,
    options: &TestOptions,
) -> Result<Tally> {
    println!("{}, with a network card", title(kernel));
    let started = Instant::now();
    let (tally, note) = (visited.run)(kernel, &options.hardware, options.long)?;
    if tally.failed == 0 {
        note.lines().for_each(|line| println!("    {line}"));
    }
    Ok(report(visited.name, tally, &[], &[], &Ending { status: Some(0), elapsed: started.elapsed(), note }))
}

/// The runs with a cable: with the most CPUs that were asked for, and one policy.
fn on_cables(runs: &[KernelOptions], cpus: &[u8]) -> Vec<KernelOptions> {
    let most = cpus.iter().copied().max().unwrap_or(1);
    let policy = runs.iter().find(|run| run.on == Kernel::Pollux).map(|run| run.policy);
    let is_meant =
        |run: &&KernelOptions| run.smp == most && (run.on == Kernel::Linux || Some(run.policy) == policy);
    runs.iter().filter(is_meant).copied().collect()
}

/// Boots a machine whose network cable ends here, and sends it bad packets.
fn on_a_cable(kernel: KernelOptions, options: &TestOptions) -> Result<Tally> {
    println!("{}, with a network cable", title(kernel));
    if kernel.on == Kernel::Pollux {
        build::kernel(kernel.policy, toolchain::Output::OnFailure)?;
    }
    let started = Instant::now();
    let (tally, note) = peer::run(kernel, &options.hardware, options.long, options.seed)?;
    Ok(report(peer::NAME, tally, &[], &[], &Ending { status: Some(0), elapsed: started.elapsed(), note }))
}

/// Runs connections where packets fare badly.
fn on_bad_networks(options: &TestOptions) -> Result<Tally> {
    let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy: Policy::default() };
    println!("Pollux, instructions counted, on bad networks");
    let mut total = Tally::default();
    impairment::run(kernel, &options.hardware, options.long, |network, tally, elapsed, note| {
        println!("    {network}");
        total += report(impairment::NAME, tally, &[], &[], &Ending { status: Some(0), elapsed, note });
    })?;
    Ok(total)
}

/// Runs the tests that need no kernel.
fn on_host(options: &TestOptions) -> Result<Tally> {
    println!("Host");
    let mut total = Tally::default();
    let programs = build::host_tests()?.into_iter().chain(build::random_schedules()?);
    for program in programs.chain(build::frames_model_check()?) {
        let (output, ending) = run(&program, options)?;
        let tally = libtest::tally(&String::from_utf8_lossy(&output.stdout), ending.status);
        total += report(&program.name, tally, &output.stdout, &output.stderr, &ending);
    }
    if options.filter.is_none() {
        for program in build::model_check()? {
            let (output, ending) = run(&program, options)?;
            let tally = libtest::one(ending.status);
            total += report(&program.name, tally, &output.stdout, &output.stderr, &ending);
            let stdout = String::from_utf8_lossy(&output.stdout);
            // Its last lines say what was explored, and that each seeded fault was caught.
            summary(&stdout).for_each(|line| println!("    {line}"));
        }
    }
    Ok(total)
}

/// The totals that the model check prints, without what stands for each property and each fault.
fn summary(stdout: &str) -> impl Iterator<Item = &str> {
    stdout.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
}

/// Runs one test program here.
fn run(program: &Executable, options: &TestOptions) -> Result<(Output, Ending)> {
    let started = Instant::now();
    let output = Command::new(&program.path)
        .args(&options.filter)
        .envs(options.long.then_some(LONG))
        .current_dir(&program.directory)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.path.display()))?;
    // A program that a signal ended has no code; it has failed.
    let status = output.status.code().map_or(u8::MAX, |code| code as u8);
    Ok((output, Ending { status: Some(status), elapsed: started.elapsed(), note: String::new() }))
}

/// Runs the kernel's own tests. With one CPU: the kernel that carries them starts no other.
fn in_kernel(options: &TestOptions) -> Result<Tally> {
    let mut total = Tally::default();
    for &policy in &options.policy {
        println!("Inside the kernel, {policy:?} Pollee");
        let image = build::ktest_kernel(policy, options.filter.as_deref())?;
        let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy };
        let started = Instant::now();
        let outcome = ktest::run(&Machine::with(kernel, &options.hardware, image)?, options.timeout.0)?;
        let ending = Ending { status: outcome.status, elapsed: started.elapsed(), note: outcome.note };
        let tally = libtest::tally(&outcome.log, ending.status);
        total += report("kernel", tally, outcome.log.as_bytes(), &[], &ending);
    }
    Ok(total)
}

/// What a program of tests starts: programs of the host.
fn companions(program: &str) -> &'static [&'static str] {
    match program {
        "pty" => &[script::BUSYBOX],
        _ => &[],
    }
}

/// Runs the guest's tests, with one boot for each run if no kernel goes down.
fn in_guest(runs: &[KernelOptions], options: &TestOptions) -> Result<Tally> {
    let is_driven = |name: &str| {
        driven::NAMES.contains(&name)
            || [dialogue::NAME, impairment::NAME, peer::NAME].contains(&name)
            || visited::ALL.iter().any(|visited| visited.name == name)
    };
    let named: Vec<_> = options.programs.iter().filter(|name| !is_driven(name)).cloned().collect();
    let all_or_some = options.programs.is_empty() || !named.is_empty();
    let programs = if all_or_some { build::guest_tests(&named)? } else { Vec::new() };
    let guest = |program: &Executable| Path::new("/tests").join(&program.name);
    let jobs = programs.iter().map(|program| job(&guest(program), options)).collect::<Result<Vec<_>>>()?;
    let lengths = programs.iter().map(|program| Ok(fs::metadata(&program.path)?.len()));
    let lengths = lengths.collect::<Result<Vec<_>>>()?;
    let mut files = Initramfs::new()?;
    for (host, guest) in &options.files.files {
        files.copy(host, guest)?;
    }
    let mut tests = driven::chosen(options);
    let mut last_files = files.clone();
    for test in &tests {
        test.pack(&mut last_files)?;
    }
    let mut total = Tally::default();
    if jobs.is_empty() && tests.is_empty() {
        return Ok(total);
    }
    for &kernel in runs {
        // The twin has no disk image.
        let boot = options.hardware.boot.filter(|_| kernel.on == Kernel::Pollux);
        let hardware = HardwareOptions { boot, ..options.hardware.clone() };
        let machine = Machine::prepare(kernel, &hardware)?;
        println!("{}", title(kernel));
        let mut driven_jobs = Vec::new();
        let mut asked = Vec::new();
        for test in &mut tests {
            if let Some(job) = test.job(kernel)? {
                driven_jobs.push(job);
                asked.push(test);
            }
        }
        let mut portions = portions(&lengths, boot.and_then(image::room));
        while let Some(portion) = portions.pop_front() {
            let is_last = portions.is_empty();
            let mut files = if is_last { last_files.clone() } else { files.clone() };
            for program in &programs[portion.clone()] {
                files.copy(&program.path, &guest(program))?;
                for file in companions(&program.name) {
                    files.copy_once(file.as_ref(), file.as_ref())?;
                }
            }
            let more = if is_last { &driven_jobs[..] } else { &[] };
            let jobs = [&jobs[portion.clone()], more].concat();
            batch::run(&machine, &files, &jobs, |index, record| {
                let index = portion.start + index;
                let mut ending = Ending::from(record.result);
                let Some(program) = programs.get(index) else {
                    let test = &mut asked[index - programs.len()];
                    let verdict = test.judge(kernel, &String::from_utf8_lossy(&record.stdout), ending.status);
                    if !verdict.remark.is_empty() {
                        println!("    {}", verdict.remark);
                    }
                    ending.note += &verdict.notes;
                    total += report(test.name(), verdict.tally, &[], &record.stderr, &ending);
                    return;
                };
                let tally = libtest::tally(&String::from_utf8_lossy(&record.stdout), ending.status);
                total += report(&program.name, tally, &record.stdout, &record.stderr, &ending);
            })?;
        }
    }
    Ok(total)
}

/// Which programs go into one boot: all, unless there is not room for so many bytes. Programs that come with what drives
/// them go into the last one, which then has no others.
fn portions(lengths: &[u64], room: Option<u64>) -> VecDeque<Range<usize>> {
    let mut portions = VecDeque::new();
    let Some(room) = room else {
        portions.push_back(0..lengths.len());
        return portions;
    };
    let (mut start, mut taken) = (0, 0);
    for (index, &length) in lengths.iter().enumerate() {
        if taken > 0 && taken + length > room {
            portions.push_back(start..index);
            (start, taken) = (index, 0);
        }
        taken += length;
    }
    portions.extend([start..lengths.len(), lengths.len()..lengths.len()]);
    portions
}

fn job(guest: &Path, options: &TestOptions) -> Result<Job> {
    let words = [guest.to_str()].into_iter().chain([options.filter.as_deref()]).flatten();
    let argv: Result<_, _> = words.map(CString::new).collect();
    let mut env = vec![ONE_AT_A_TIME.to_owned(), "RUST_BACKTRACE=1".to_owned()];
    env.extend(options.long.then(|| format!("{}={}", LONG.0, LONG.1)));
    let env = exec::environment(&env)?;
    Ok(Job { argv: argv.context("the filter contains a NUL byte")?, env, timeout: options.timeout.0 })
}

/// The runs. Linux, which only proves the tests right, has one.
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

fn title(kernel: KernelOptions) -> String {
    let cpus = if kernel.smp == 1 { "CPU" } else { "CPUs" };
    match kernel.on {
        Kernel::Linux => format!("Linux, {} {cpus}", kernel.smp),
        Kernel::Pollux => format!("Pollux, {:?} Pollee, {} {cpus}", kernel.policy, kernel.smp),
    }
}

/// How a test program ended.
struct Ending {
    /// `None` if it did not end: the kernel did.
    status: Option<u8>,
    elapsed: Duration,
    /// What is to be said about it besides.
    note: String,
}

impl From<batch::Ending> for Ending {
    fn from(ending: batch::Ending) -> Self {
        match ending {
            batch::Ending::Ended(end) => {
                let note = match end.cause {
                    Cause::Program => String::new(),
                    Cause::Timeout => "ended by its time limit".to_owned(),
                };
                Self { status: Some(end.exit_status()), elapsed: end.elapsed, note }
            }
            batch::Ending::Down(reason) => Self { status: None, elapsed: Duration::ZERO, note: reason },
        }
    }
}

/// Prints the line of one program, and everything it said unless all is well.
fn report(name: &str, tally: Tally, stdout: &[u8], stderr: &[u8], ending: &Ending) -> Tally {
    let ignored = if tally.ignored == 0 { String::new() } else { format!(" {:>4} ignored", tally.ignored) };
    let status = match ending.status {
        // 101 is how the harness says that a case failed.
        Some(0 | 101) => String::new(),
        Some(status) => format!("   exit status {status}"),
        None => "   the kernel went down".to_owned(),
    };
    let seconds = ending.elapsed.as_secs_f64();
    println!(
        "  {name:<24} {:>4} passed {:>4} failed{ignored} {seconds:>7.1} s{status}",
        tally.passed, tally.failed
    );
    if tally.failed > 0 {
        for text in [&*String::from_utf8_lossy(stdout), &*String::from_utf8_lossy(stderr), &ending.note] {
            text.lines().for_each(|line| println!("    | {line}"));
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_share_a_boot_while_there_is_room() {
        let all = portions(&[5, 5, 5], None);
        assert_eq!((all.len(), all.front()), (1, Some(&(0..3))));
        assert_eq!(portions(&[5, 5, 5, 1, 20, 1], Some(10)), [0..2, 2..4, 4..5, 5..6, 6..6]);
        assert_eq!(portions(&[], Some(10)), [0..0, 0..0]);
    }

    #[test]
    fn linux_runs_once_and_pollux_with_everything() {
        let runs = matrix(
            &[Place::Host, Place::Linux, Place::Pollux],
            &[1, 2],
            &[Policy::Hybrid, Policy::Stateless],
        );
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
