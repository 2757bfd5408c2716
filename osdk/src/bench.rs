//! `pollux bench`: counts and times the same program on Linux and on Pollux with each policy.
//!
//! The rows and their checks are in tests/src/bin/bench. Instructions are counted with one CPU. Wall times come from
//! the same rows without counting; the kernels take turns, so that a busy host slows all of them alike.
//!
//! Why: decision 0050.

mod baseline;
mod http;
mod report;
mod results;
mod table;

use std::{
    collections::BTreeSet,
    ffi::CString,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pollux_protocol::job::Job;

use self::results::{Clock, Results, Subject};
pub(crate) use self::table::{grouped, target};
use crate::{
    batch::{self, Ending},
    build,
    cli::{BenchOptions, HardwareOptions, Kernel, KernelOptions, Policy},
    exec,
    initramfs::Initramfs,
    machine::Machine,
    project,
};

/// The groups of rows that the guest's program measures. Each is a process of its own; if the kernel goes down in one,
/// the kit boots it again for the next.
const GROUPS: [&str; 10] =
    ["calls", "basics", "eventfd", "pipe", "scan", "block", "epoll", "threads", "tcp", "tcp-scan"];

/// The time limit of a group.
const LIMIT: Duration = Duration::from_secs(300);

/// Boots of each kernel; wall times are medians over them.
const TURNS: usize = 3;

/// The groups with rows of several threads or processes, which the benchmark also times with two CPUs.
const THREADED: [&str; 4] = ["eventfd", "pipe", "threads", "tcp"];

/// The rows to time with two CPUs.
const THREADED_ROWS: [&str; 4] =
    ["eventfd_ping_pong", "pipe_ping_pong", "epoll_eight_threads", "tcp_round_trip"];

/// `pollux bench`.
pub(crate) fn command(options: &BenchOptions) -> Result<ExitCode> {
    if options.check || options.record {
        return compare(options);
    }
    let started = Instant::now();
    let subjects = subjects(options);
    let groups: Vec<&str> = match options.groups.is_empty() {
        true => GROUPS.into_iter().chain([http::GROUP]).collect(),
        false => options.groups.iter().map(String::as_str).collect(),
    };
    let mut results = Results::default();
    // The guest's program does not measure the group `http`.
    let with_http = groups.contains(&http::GROUP);
    let groups: Vec<&str> = groups.into_iter().filter(|group| *group != http::GROUP).collect();
    for &subject in subjects.iter().filter(|_| !groups.is_empty()) {
        results.merge(measure(subject, Clock::Instructions, 1, options, &groups)?);
    }
    let threaded: Vec<&str> = groups.iter().copied().filter(|group| THREADED.contains(group)).collect();
    let turns = if options.quick { 1 } else { TURNS };
    for _ in 0..if options.no_wall { 0 } else { turns } {
        for &subject in &subjects {
            if !groups.is_empty() {
                results.merge(measure(subject, Clock::Wall, 1, options, &groups)?);
            }
            if with_http {
                let hardware = hardware(Clock::Wall, options);
                results.merge(http::measure(subject, kernel(subject, 1), &hardware, options.quick)?);
            }
            if !threaded.is_empty() {
                results
                    .merge(measure(subject, Clock::Wall, 2, options, &threaded)?.on_two_cpus(&THREADED_ROWS));
            }
        }
    }
    let directory = project::target().join("bench");
    let mut json = results.to_json();
    json["machine"] = machine(options).into();
    write(&directory, "results.json", &serde_json::to_string_pretty(&json)?)?;
    let table = table::markdown(&results, &subjects);
    write(&directory, "results.md", &table)?;
    for (name, plot) in report::plots(&results, &subjects)? {
        write(&directory, &format!("{name}.svg"), &plot)?;
    }
    let page = report::html(&results, &subjects, &machine(options), &table)?;
    write(&directory, "report.html", &page)?;
    print!("{table}");
    eprintln!("pollux: {} in {:.0?}", directory.display(), started.elapsed());
    let failed: BTreeSet<_> = results.failures().collect();
    failed.iter().for_each(|failure| eprintln!("pollux: failed: {failure}"));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `pollux bench --check` and `--record`: compares counts of the hybrid policy with the baseline, or records them.
fn compare(options: &BenchOptions) -> Result<ExitCode> {
    const HYBRID: Subject = Subject::Pollux(Policy::Hybrid);
    let groups: Vec<&str> = GROUPS.to_vec();
    let results =
        measure(HYBRID, Clock::Instructions, 1, &BenchOptions { quick: true, ..options.clone() }, &groups)?;
    if options.record {
        baseline::record(&results, HYBRID)?;
        return Ok(ExitCode::SUCCESS);
    }
    let complaints = baseline::regressions(&results, HYBRID)?;
    complaints.iter().for_each(|complaint| println!("{complaint}"));
    println!("{} rows cost more than three per cent too much", complaints.len());
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the plots of a record, as SVG by the names of their rows.
pub(crate) fn plots(record: &serde_json::Value) -> Result<Vec<(String, String)>> {
    report::plots(&Results::from_json(record), &Subject::ALL)
}

/// Describes the machine that the figures come from.
fn machine(options: &BenchOptions) -> String {
    let first_line = |mut command: std::process::Command| {
        let output = command.output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
    };
    let mut qemu = std::process::Command::new("qemu-system-x86_64");
    qemu.arg("--version");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let way = if has_kvm() { "KVM" } else { "software emulation" };
    let times =
        if options.no_wall { String::new() } else { format!(" Wall times: {way}, one CPU unless said.") };
    format!(
        "Instructions: -icount shift=0, one CPU, -cpu max,-erms,-fsrm.{times} {}, on {}.",
        first_line(qemu).unwrap_or_default(),
        cpu.unwrap_or("an unknown CPU")
    )
}

/// Whether QEMU can run a guest on the host's processor. The existence of `/dev/kvm` is not enough.
fn has_kvm() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| {
        let mut qemu = std::process::Command::new("qemu-system-x86_64");
        qemu.args(["-no-user-config", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"]);
        qemu.args(["-machine", "q35", "-accel", "kvm", "-cpu", "max"]);
        // The monitor stops listening at the end of its input; `quit` ends QEMU.
        let started = qemu.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        started.is_ok_and(|mut qemu| {
            let asked = qemu.stdin.take().is_some_and(|mut input| input.write_all(b"quit\n").is_ok());
            // A QEMU that missed the command may run for ever.
            let _ = if asked { Ok(()) } else { qemu.kill() };
            qemu.wait().is_ok_and(|status| status.success())
        })
    });
    *ANSWER
}

/// Lists the kernels to compare, the twin first.
fn subjects(options: &BenchOptions) -> Vec<Subject> {
    let linux = options.on.contains(&Kernel::Linux).then_some(Subject::Linux);
    let policies = options.policy.iter().copied().filter(|_| options.on.contains(&Kernel::Pollux));
    linux.into_iter().chain(policies.map(Subject::Pollux)).collect()
}

fn kernel(subject: Subject, smp: u8) -> KernelOptions {
    let (on, policy) = match subject {
        Subject::Linux => (Kernel::Linux, Policy::Hybrid),
        Subject::Pollux(policy) => (Kernel::Pollux, policy),
    };
    KernelOptions { on, smp, policy }
}

fn hardware(clock: Clock, options: &BenchOptions) -> HardwareOptions {
    let icount = clock == Clock::Instructions;
    HardwareOptions { icount, kvm: !icount && has_kvm(), ..options.hardware.clone() }
}

/// Boots one kernel and collects the rows of all groups.
fn measure(
    subject: Subject,
    clock: Clock,
    smp: u8,
    options: &BenchOptions,
    groups: &[&str],
) -> Result<Results> {
    let started = Instant::now();
    let machine = Machine::prepare(kernel(subject, smp), &hardware(clock, options))?;
    let guest = Path::new("/bin/bench");
    let mut files = Initramfs::new()?;
    files.copy(&build::program("bench")?, guest)?;
    let names: Vec<&str> = ["clock"].iter().chain(groups).copied().collect();
    let jobs = names.iter().map(|group| job(group, options)).collect::<Result<Vec<_>>>()?;
    let mut results = Results::default();
    batch::run(&machine, &files, &jobs, |index, record| {
        let lines = String::from_utf8_lossy(&record.stdout);
        lines.lines().for_each(|line| results.line(subject, clock, line));
        let complaint = match &record.result {
            Ending::Ended(end) if end.exit_status() == 0 => {
                String::from_utf8_lossy(&record.stderr).into_owned()
            }
            Ending::Ended(end) => format!("status {}", end.exit_status()),
            Ending::Down(reason) => reason.clone(),
        };
        if !complaint.trim().is_empty() {
            eprintln!("pollux: {subject}, {}: {}", names[index], complaint.trim());
        }
        if !matches!(&record.result, Ending::Ended(end) if end.exit_status() == 0) {
            results.fail(subject, clock, names[index]);
        }
    })?;
    eprintln!("pollux: {subject}, {clock}: {} rows in {:.1?}", results.len(), started.elapsed());
    Ok(results)
}

fn job(group: &str, options: &BenchOptions) -> Result<Job> {
    let words = ["/bin/bench", group].into_iter().chain(options.quick.then_some("quick"));
    let argv: Result<_, _> = words.map(CString::new).collect();
    Ok(Job { argv: argv?, env: exec::environment(&[])?, timeout: Some(LIMIT) })
}

fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
