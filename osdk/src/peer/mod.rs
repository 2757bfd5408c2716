//! The test of bad input: a peer on the guest's network cable that sends what no honest stack sends, to Linux and to
//! Pollux.
//!
//! Owns: the order of the stages, and what has to be true after each: an honest client gets its bytes, and in the end the
//! memory is back.   Not here: what a stage sends (`malformed`, `states`, `floods`, `fuzz`).
//!
//! | file | idea |
//! |---|---|
//! | `wire` | frames, and answers to ARP |
//! | `segment` | TCP segments, made as one likes |
//! | `talk` | a connection led by hand |
//! | `honest` | a client that behaves |

mod floods;
mod fuzz;
mod honest;
mod malformed;
mod segment;
mod states;
mod stream;
mod talk;
mod wire;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use pollux_protocol::job::{JobList, Stdio};

use self::{honest::Honest, wire::Wire};
use crate::{
    build,
    cli::{HardwareOptions, Kernel, KernelOptions},
    driven,
    initramfs::Initramfs,
    libtest::Tally,
    machine::Machine,
    network::{PORT, SERVER},
    session::Session,
};

/// What `--test` calls it.
pub(crate) const NAME: &str = "peer";

/// How long the guest may take to boot.
const BOOT: Duration = Duration::from_secs(60);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// KiB that may be missing in the end: the machines, packets and queues that the kernel keeps for the next connections,
/// 3.1 MiB and not more (`kernel/rules/src/net/tcp/pool.rs`). One connection in a hundred of the flood would be more.
const KEPT: u64 = 3200;

/// The same on Linux, which keeps slabs.
const KEPT_BY_LINUX: u64 = 16 << 10;

/// How long that may take.
const SETTLING: Duration = Duration::from_secs(8);

/// What a stage may use.
pub(crate) struct Stage<'a> {
    on: Kernel,
    wire: &'a Wire,
    honest: &'a mut Honest,
    random: fastrand::Rng,
    is_long: bool,
}

type Errand = (&'static str, fn(&mut Stage<'_>) -> Result<()>);

const STAGES: [Errand; 16] = [
    ("requests that nobody follows up", floods::memory),
    ("headers that are none", malformed::headers),
    ("wrong checksums", malformed::checksums),
    ("options that are none", malformed::options),
    ("senders that cannot be", malformed::senders),
    ("fragments", malformed::fragments),
    ("messages of ICMP", malformed::icmp),
    ("questions and answers of ARP", malformed::arp),
    ("overlapping, late and doubled segments", stream::pieces),
    ("windows that are zero, tiny or shrink", stream::windows),
    ("all flags without a connection", states::flags),
    ("all flags in all states", states::every),
    ("numbers far from the window", states::blind),
    ("numbers within the window", states::inexact),
    ("a flood of requests", floods::requests),
    ("frames changed at random", fuzz::run),
];

/// Boots the kernel with a cable to us, and says how it went.
pub(crate) fn run(
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_long: bool,
    seed: u64,
) -> Result<(Tally, String)> {
    let mut files = Initramfs::new()?;
    files.copy(&build::program("httpd")?, Path::new(SERVER))?;
    let server = driven::job(&[SERVER, &PORT.to_string()], LIMIT)?;
    files.init(&JobList { stdio: Stdio::Ports, jobs: vec![server] })?;
    let mut machine = Machine::prepare(kernel, hardware)?;
    let mut wire = Wire::new(machine.plug()?)?;
    let session = Session::start(&machine, &files.finish()?)?;
    let (mut tally, mut notes) = (Tally::default(), String::new());
    match visit(kernel.on, &mut wire, is_long, seed, &mut tally, &mut notes) {
        Ok(()) => {}
        Err(error) => {
            tally.failed += 1;
            notes += &format!("{error:#}\n");
        }
    }
    if tally.failed > 0 {
        notes += &format!("seed {seed}\n{}", session.last_words());
    }
    Ok((tally, notes))
}

fn visit(
    on: Kernel,
    wire: &mut Wire,
    is_long: bool,
    seed: u64,
    tally: &mut Tally,
    notes: &mut String,
) -> Result<()> {
    wire.meet(BOOT)?;
    let mut honest = Honest::new();
    let mut tries = 0;
    // The card is there before the server.
    while let Err(error) = honest.check(wire) {
        tries += 1;
        ensure!(tries < 20, "the server does not answer: {error:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = honest.free_memory(wire)?;
    for (name, errand) in STAGES {
        let random = fastrand::Rng::with_seed(seed);
        let result = errand(&mut Stage { on, wire, honest: &mut honest, random, is_long });
        wire.hang_up(Duration::from_millis(20))?;
        let is_served = honest.check(wire).context("and then nobody is served");
        let is_over = is_served.is_err();
        let result = result.and(is_served);
        match result {
            Ok(()) => tally.passed += 1,
            Err(error) => {
                tally.failed += 1;
                *notes += &format!("{name}: {error:#}\n");
            }
        }
        ensure!(!is_over, "nothing else was tried");
    }
    // Connections that the last stage broke have a timer each, which ends after seconds.
    let deadline = Instant::now() + SETTLING;
    let kept = if on == Kernel::Linux { KEPT_BY_LINUX } else { KEPT };
    loop {
        wire.hang_up(Duration::from_millis(200))?;
        let after = honest.free_memory(wire)?;
        if after + kept > before {
            tally.passed += 1;
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{} KiB of memory are missing", before - after);
    }
}
