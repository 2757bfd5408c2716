//! Tests disk images: the tour plays to its end, and an image that cannot start says why. The test reads the first
//! serial port, and a picture of the screen.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    build,
    cli::{Firmware, HardwareOptions, Kernel, KernelOptions, Mebibytes, Policy},
    failures,
    libtest::Tally,
    machine::Machine,
    session::{Event, Session},
};

/// The time limit of a start with the tour.
const LIMIT: Duration = Duration::from_secs(90);
/// The time limit for text of the log to appear on the screen.
const DRAWING: Duration = Duration::from_secs(5);
/// The interval between looks at the log and the screen.
const INTERVAL: Duration = Duration::from_millis(200);

const TOUR: &str = "The end: 8 steps, every result as Linux has it.";

/// The range of machines to try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One for each firmware.
    Short,
    /// All sizes and CPU counts.
    Full,
}

/// A machine, its disk, and its expected message.
struct Case {
    firmware: Firmware,
    mebibytes: u64,
    smp: u8,
    cpu: &'static str,
    damage: Option<Damage>,
    words: &'static str,
}

/// A defect of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// The bundle's magic is wrong.
    Header,
    /// The bundle is shorter than its header says.
    Lengths,
    /// The kernel is truncated.
    Kernel,
    /// The initramfs is missing.
    Initramfs,
    /// The command line names an init that does not exist.
    Init,
}

/// Starts the machines one after the other.
pub(crate) fn run(hardware: &HardwareOptions, extent: Extent) -> Result<Tally> {
    let kernel = build::kernel(Policy::default(), crate::toolchain::Output::OnFailure)?;
    let initramfs = fs::read(build::initramfs()?)?;
    let mut total = Tally::default();
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let mut disk = Vec::new();
        for case in cases(firmware, extent) {
            let machine = machine(&case, hardware, &kernel)?;
            if disk.is_empty() {
                disk = machine.medium(&initramfs)?;
            }
            let mut disk = disk.clone();
            if let Some(damage) = case.damage {
                damage.inflict(&mut disk).context("the disk image is not as boot/handover packs it")?;
            }
            let started = Instant::now();
            let said = start(&machine, &disk, case.words)?;
            total += report(&case, &said, started.elapsed());
        }
    }
    Ok(total)
}

fn cases(firmware: Firmware, extent: Extent) -> Vec<Case> {
    let smallest = match firmware {
        Firmware::Bios => 160,
        Firmware::Uefi => 192,
    };
    let sizes: &[u64] = if extent == Extent::Full { &[smallest, 512, 3072, 5120] } else { &[512] };
    let counts: &[u8] = if extent == Extent::Full { &[1, 2] } else { &[2] };
    let good = Case { firmware, mebibytes: 512, smp: 1, cpu: "max", damage: None, words: TOUR };
    let mut cases = Vec::new();
    for &mebibytes in sizes {
        cases.extend(counts.iter().map(|&smp| Case { mebibytes, smp, ..good }));
    }
    cases.push(Case { mebibytes: 128, words: "pollux: cannot start: too little memory", ..good });
    let words = "pollux: cannot start: this CPU lacks FSGSBASE";
    cases.push(Case { cpu: "max,-fsgsbase", words, ..good });
    // The stage and the kernel are the same for both.
    if firmware == Firmware::Bios || extent == Extent::Full {
        let damages = [Damage::Header, Damage::Lengths, Damage::Kernel, Damage::Initramfs, Damage::Init];
        cases.extend(damages.map(|damage| Case { damage: Some(damage), words: damage.words(), ..good }));
    }
    cases
}

fn machine(case: &Case, hardware: &HardwareOptions, kernel: &Path) -> Result<Machine> {
    let hardware = HardwareOptions {
        boot: Some(case.firmware),
        mem: Mebibytes(case.mebibytes),
        cpu: Some(case.cpu.to_owned()),
        ..hardware.clone()
    };
    let options = KernelOptions { on: Kernel::Pollux, smp: case.smp, policy: Policy::default() };
    let mut machine = Machine::with(options, &hardware, kernel.to_owned())?;
    machine.stay_on();
    Ok(machine)
}

impl Damage {
    /// Damages the bundle, which is contiguous on the disk; boot/handover/src/bundle.rs has its format.
    fn inflict(self, disk: &mut [u8]) -> Option<()> {
        const MAGIC: &[u8] = b"POLLUX\x1a\x01";
        const HEADER: usize = 32;
        const SECTOR: usize = 512;
        let start = disk.chunks(SECTOR).position(|sector| sector.starts_with(MAGIC))? * SECTOR;
        let (header, parts) = disk[start..].split_at_mut(HEADER);
        let (kernel, initramfs) = (16..24, 24..32);
        match self {
            Self::Header => header[..MAGIC.len()].fill(0),
            Self::Lengths => header[initramfs].copy_from_slice(&(1_u64 << 30).to_le_bytes()),
            Self::Kernel => {
                let length = u64::from_le_bytes(header[kernel.clone()].try_into().ok()?);
                header[kernel].copy_from_slice(&(length / 2).to_le_bytes());
            }
            Self::Initramfs => header[initramfs].fill(0),
            Self::Init => {
                let (from, to) = (b"init=/init", b"init=/none");
                let line = parts.starts_with(from).then_some(&mut parts[..to.len()])?;
                line.copy_from_slice(to);
            }
        }
        Some(())
    }

    fn words(self) -> &'static str {
        match self {
            Self::Header => "pollux: cannot start: the file \"ramdisk\" on the disk is not Pollux's",
            Self::Lengths => "pollux: cannot start: the disk image is truncated",
            Self::Kernel => "pollux: cannot start: the kernel is truncated",
            Self::Initramfs => "pollux: cannot start: the disk image holds no initramfs",
            Self::Init => "pollux: cannot run /none: ENOENT",
        }
    }
}

/// The output of a machine.
struct Said {
    log: String,
    screen: Vec<String>,
}

/// Runs the machine until log and screen have these words, it powers off, or the time limit passes.
fn start(machine: &Machine, disk: &[u8], words: &str) -> Result<Said> {
    let mut session = Session::start_from(machine, disk)?;
    let mut said = Said { log: String::new(), screen: Vec::new() };
    let mut deadline = Instant::now() + LIMIT;
    let mut is_logged = false;
    while Instant::now() < deadline {
        let event = session.next(Some(Instant::now() + INTERVAL))?;
        said.log = String::from_utf8_lossy(session.log()).into_owned();
        if matches!(event, Event::Exited(_)) {
            break;
        }
        if !is_logged && said.log.contains(words) {
            is_logged = true;
            deadline = Instant::now() + DRAWING;
        }
        if is_logged && let Some(screenshot) = session.screenshot()? {
            said.screen = screenshot.rows();
            if said.has(words) {
                break;
            }
        }
    }
    Ok(said)
}

impl Said {
    fn has(&self, words: &str) -> bool {
        self.log.contains(words) && self.screen.iter().any(|row| row.contains(words))
    }
}

fn report(case: &Case, said: &Said, elapsed: Duration) -> Tally {
    let Case { firmware, mebibytes, smp, damage, words, .. } = case;
    let passed = said.has(words);
    let disk = match damage {
        None => String::new(),
        Some(damage) => format!(", damaged {damage:?}"),
    };
    let verdict = if passed { "says" } else { "does not say" };
    let seconds = elapsed.as_secs_f64();
    println!("  {firmware:?}, {mebibytes} MiB, {smp} CPUs{disk} {verdict} {words:?}  {seconds:.1} s");
    if !passed {
        said.log.lines().for_each(|line| println!("    | {line}"));
        said.screen.iter().for_each(|row| println!("    screen | {row}"));
        failures::add(&format!("{firmware:?}, {mebibytes} MiB, {smp} CPUs{disk}"), &[&said.log]);
    }
    Tally { passed: passed.into(), failed: (!passed).into(), ..Tally::default() }
}
