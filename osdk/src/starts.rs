//! Starts from disk images: that the tour plays to its end, and that what cannot start says why.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    build,
    cli::{Firmware, HardwareOptions, Kernel, KernelOptions, Mebibytes, Policy},
    libtest::Tally,
    machine::Machine,
    session::{Event, Session},
};

/// How long a start and the tour may take.
const LIMIT: Duration = Duration::from_secs(90);
/// How often to look at what was said.
const INTERVAL: Duration = Duration::from_millis(200);

const TOUR: &str = "The end: 8 steps, every result as Linux has it.";

/// How many machines to try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One for each firmware.
    Short,
    /// All sizes and CPU counts.
    Full,
}

/// A machine, and what it must say.
struct Case {
    firmware: Firmware,
    mebibytes: u64,
    smp: u8,
    cpu: &'static str,
    words: &'static str,
}

/// Starts them one after the other.
pub(crate) fn run(hardware: &HardwareOptions, extent: Extent) -> Result<Tally> {
    println!("Disk images");
    let kernel = build::kernel(Policy::default(), crate::toolchain::Output::OnFailure)?;
    let initramfs = fs::read(build::initramfs()?)?;
    let mut total = Tally::default();
    for case in cases(extent) {
        let Case { firmware, mebibytes, smp, cpu, words } = case;
        let (mem, cpu) = (Mebibytes(mebibytes), Some(cpu.to_owned()));
        let hardware = HardwareOptions { boot: Some(firmware), mem, cpu, ..hardware.clone() };
        let options = KernelOptions { on: Kernel::Pollux, smp, policy: Policy::default() };
        let started = Instant::now();
        let log = start(&Machine::with(options, &hardware, kernel.clone())?, &initramfs, words)?;
        let passed = log.contains(words);
        let (seconds, verdict) =
            (started.elapsed().as_secs_f64(), if passed { "says" } else { "does not say" });
        println!("  {firmware:?}, {mebibytes} MiB, {smp} CPUs {verdict} {words:?}  {seconds:.1} s");
        if !passed {
            log.lines().for_each(|line| println!("    | {line}"));
        }
        total += Tally { passed: passed.into(), failed: (!passed).into(), ..Tally::default() };
    }
    Ok(total)
}

fn cases(extent: Extent) -> Vec<Case> {
    let mut cases = Vec::new();
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let smallest = match firmware {
            Firmware::Bios => 160,
            Firmware::Uefi => 192,
        };
        let sizes: &[u64] = if extent == Extent::Full { &[smallest, 512, 3072, 5120] } else { &[512] };
        let counts: &[u8] = if extent == Extent::Full { &[1, 2] } else { &[2] };
        for &mebibytes in sizes {
            cases.extend(counts.iter().map(|&smp| Case {
                firmware,
                mebibytes,
                smp,
                cpu: "max",
                words: TOUR,
            }));
        }
        let refused = |mebibytes, cpu, words| Case { firmware, mebibytes, smp: 1, cpu, words };
        cases.push(refused(128, "max", "pollux: cannot start: too little memory"));
        cases.push(refused(512, "max,-fsgsbase", "pollux: cannot start: this CPU lacks FSGSBASE"));
    }
    cases
}

/// What the machine has said when it has said these words, has switched off, or takes too long.
fn start(machine: &Machine, initramfs: &[u8], words: &str) -> Result<String> {
    let mut session = Session::start(machine, initramfs)?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let event = session.next(Some(Instant::now() + INTERVAL))?;
        let log = String::from_utf8_lossy(session.log()).into_owned();
        if matches!(event, Event::Exited(_)) || log.contains(words) || Instant::now() > deadline {
            return Ok(log);
        }
    }
}
