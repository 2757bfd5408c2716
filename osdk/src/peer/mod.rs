//! The peer test: a hostile peer on the guest's network cable sends what no honest stack sends, to Linux and to Pollux.
//!
//! Owns: the order of the stages, and the checks: after each an honest client gets its bytes, and in the end the guest
//! has freed its memory.   Not here: the packets of a stage (`malformed`, `states`, `floods`, `fuzz`).
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

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::{honest::Honest, wire::Wire};
use crate::{
    cli::{HardwareOptions, Kernel, KernelOptions},
    libtest::Tally,
    machine::Machine,
    network,
    session::Session,
    visited::Visits,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "peer";

/// The time limit of the boot.
const BOOT: Duration = Duration::from_secs(60);

/// The time limit of the whole test.
const LIMIT: Duration = Duration::from_secs(3600);

/// KiB that may be missing in the end: the sockets, packets and queues that the kernel pools for the next connections,
/// at most 3.1 MiB (`kernel/rules/src/net/tcp/pool.rs`). A leak of one in a hundred of the flood's connections is more.
const KEPT: u64 = 3200;

/// KiB that may be missing on Linux, which keeps slabs.
const KEPT_BY_LINUX: u64 = 16 << 10;

/// The time limit for freeing it.
const SETTLING: Duration = Duration::from_secs(8);

/// The means of a stage.
pub(crate) struct Stage<'a> {
    on: Kernel,
    wire: &'a Wire,
    honest: &'a mut Honest,
    random: fastrand::Rng,
    is_long: bool,
}

type Errand = (&'static str, fn(&mut Stage<'_>) -> Result<()>);

const STAGES: [Errand; 16] = [
    ("abandoned connection requests", floods::memory),
    ("malformed headers", malformed::headers),
    ("wrong checksums", malformed::checksums),
    ("malformed options", malformed::options),
    ("impossible senders", malformed::senders),
    ("fragments", malformed::fragments),
    ("ICMP messages", malformed::icmp),
    ("ARP requests and replies", malformed::arp),
    ("overlapping, late and duplicate segments", stream::pieces),
    ("windows that are zero, tiny or shrink", stream::windows),
    ("all flags without a connection", states::flags),
    ("all flags in all states", states::every),
    ("sequence numbers far from the window", states::blind),
    ("sequence numbers within the window", states::inexact),
    ("a flood of requests", floods::requests),
    ("randomly changed frames", fuzz::run),
];

/// Boots the kernel with a cable to the kit, runs the stages, and returns their results.
pub(crate) fn run(
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_long: bool,
    seed: u64,
) -> Result<(Tally, String)> {
    let files = network::pack(&[], LIMIT)?;
    let mut machine = Machine::prepare(kernel, hardware)?;
    let mut wire = Wire::new(machine.plug()?)?;
    let session = Session::start(&machine, &files)?;
    let mut visits = Visits::default();
    if let Err(error) = visit(kernel.on, &mut wire, is_long, seed, &mut visits) {
        visits.tally.failed += 1;
        visits.notes += &format!("{error:#}\n");
    }
    if visits.tally.failed > 0 {
        visits.notes += &format!("seed {seed}\n{}", session.last_words());
    }
    Ok((visits.tally, visits.notes))
}

fn visit(on: Kernel, wire: &mut Wire, is_long: bool, seed: u64, visits: &mut Visits) -> Result<()> {
    wire.meet(BOOT)?;
    let mut honest = Honest::new();
    let mut tries = 0;
    // The card is up before the server.
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
        visits.note(name, result.and(is_served));
        ensure!(!is_over, "nothing else was tried");
    }
    // Each connection that the last stage broke has a timer, which expires after seconds.
    let deadline = Instant::now() + SETTLING;
    let kept = if on == Kernel::Linux { KEPT_BY_LINUX } else { KEPT };
    loop {
        wire.hang_up(Duration::from_millis(200))?;
        let after = honest.free_memory(wire)?;
        if after + kept > before {
            visits.tally.passed += 1;
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{} KiB of memory are missing", before - after);
    }
}
