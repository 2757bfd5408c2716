//! The server test: runs Debian's unmodified redis-server and memcached, and clients on the host that reach them
//! through the network card.
//!
//! Owns: the guest, the order of the visits, the figures.   Not here: the visitors' requests (`redis`, `memcached`).
//! Why: decision 0076.

mod benchmark;
mod memcached;
mod redis;

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use pollux_protocol::{
    job::{JobList, Stdio},
    message::Message,
};

use crate::{
    backlog,
    cli::{HardwareOptions, KernelOptions},
    debian,
    initramfs::Initramfs,
    libraries,
    libtest::Tally,
    machine::{self, Machine},
    script,
    session::{Event, Session, Stream},
    visited::Visits,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "servers";

/// The packages, with those of their dependencies that a small system may lack.
const PACKAGES: [&str; 15] = [
    "redis-server",
    "redis-tools",
    "memcached",
    "libatomic1",
    "libcap2",
    "libevent-2.1-7",
    "libgcrypt20",
    "libgpg-error0",
    "libjemalloc2",
    "liblz4-1",
    "liblzf1",
    "libsasl2-2",
    "libssl3",
    "libsystemd0",
    "libzstd1",
];

/// The programs: the name in the guest, and the file in the packages.
const PROGRAMS: [(&str, &str); 4] = [
    ("usr/bin/redis-server", "usr/bin/redis-check-rdb"),
    ("usr/bin/redis-cli", "usr/bin/redis-cli"),
    ("usr/bin/redis-benchmark", "usr/bin/redis-benchmark"),
    ("usr/bin/memcached", "usr/bin/memcached"),
];

/// The guest's user file. Memcached runs as root only if it finds that user here.
const USERS: (&str, &str) = ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");

/// The servers' ports in the guest.
const REDIS: u16 = 6379;
const MEMCACHED: u16 = 11211;

/// The time limits of the boot, of a server's start, and of the whole test.
const BOOT: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(1200);

/// The number of timed requests of each kind, in the short and the long form.
const REQUESTS: u32 = 2_000;
const MANY_REQUESTS: u32 = 100_000;

/// A visit: one check of a server.
type Errand = (&'static str, fn(u16) -> Result<()>);

/// Boots the kernel with the servers and a card, makes the visits, and returns their results.
pub(crate) fn run(
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_long: bool,
) -> Result<(Tally, String)> {
    let root = debian::fetch(NAME, &PACKAGES)?;
    let requests = if is_long { MANY_REQUESTS } else { REQUESTS };
    let (redis, memcached) = (machine::free_port()?, machine::free_port()?);
    let forwards = vec![(redis, REDIS), (memcached, MEMCACHED)];
    let machine = Machine::prepare(kernel, &HardwareOptions { forwards, ..hardware.clone() })?;
    let mut session = Session::start(&machine, &pack(&root, requests)?)?;
    if let Err(error) = redis::await_server(redis, BOOT) {
        let tally = Tally { failed: 1, ..Tally::default() };
        return Ok((tally, format!("nobody answers: {error:#}\n{}", session.last_words())));
    }
    backlog::widen(session.process());
    let mut visits = Visits::default();
    for (name, errand) in redis::ERRANDS {
        visits.note(&format!("redis: {name}"), errand(redis));
    }
    for (name, errand) in memcached::ERRANDS {
        visits.note(&format!("memcached: {name}"), errand(memcached));
    }
    if visits.tally.failed == 0 {
        let asked = benchmark::run(&root, redis, requests);
        note_figures(&mut visits, "redis-benchmark, 50 connections", asked);
        note_figures(&mut visits, "memcached, 50 connections", memcached::rate(memcached, requests));
    }
    visits.note("redis: a snapshot outlives the server", redis::save_and_restart(redis, BOOT));
    visits.note("redis: an append-only file is begun and followed", redis::append_and_end(redis));
    let over_loopback = attend_to_the_end(&mut session);
    let over_loopback = over_loopback.and_then(|text| benchmark::parse(&text));
    note_figures(&mut visits, "over the loopback, 50 connections", over_loopback);
    if visits.tally.failed > 0 {
        visits.notes += &session.last_words();
    }
    Ok((visits.tally, visits.notes))
}

/// Packs the guest's files.
fn pack(root: &Path, requests: u32) -> Result<Vec<u8>> {
    let mut files = Initramfs::new()?;
    script::pack(NAME, &mut files)?;
    files.file(Path::new(USERS.0), 0o644, USERS.1.as_bytes())?;
    let hosts = PROGRAMS.map(|(_, host)| root.join(host));
    for ((guest, _), host) in PROGRAMS.iter().zip(&hosts) {
        files.copy(host, &Path::new("/").join(guest))?;
    }
    libraries::pack_from(root, &hosts.each_ref().map(PathBuf::as_path), &mut files)?;
    let job = script::job(NAME, &[&requests.to_string()], LIMIT)?;
    files.init(&JobList { stdio: Stdio::Ports, jobs: vec![job] })?;
    files.finish()
}

/// Notes figures. They are informative only, because the machine is never quiet.
fn note_figures(visits: &mut Visits, name: &str, result: Result<Vec<(String, f64)>>) {
    if let Ok(figures) = &result {
        let each: Vec<_> = figures.iter().map(|(what, rate)| format!("{what} {rate:.0}")).collect();
        visits.notes += &format!("requests a second, {name}: {}\n", each.join(", "));
    }
    visits.note(name, result.map(drop));
}

/// Waits for the end of the guest's script, and returns its output.
fn attend_to_the_end(session: &mut Session) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let mut said = Vec::new();
    let mut end = None;
    loop {
        match session.next(Some(deadline))? {
            Event::Output(Stream::Stdout, bytes) => said.extend(bytes),
            Event::Message(Message::End(seen)) => end = Some(seen),
            Event::Output(Stream::Stderr, _) | Event::Message(_) => {}
            Event::Exited(status) => bail!("the kernel went down (QEMU: {status})"),
            Event::TimedOut => bail!("the servers do not end"),
        }
        if let Some(end) = end.filter(|end| end.stdout == said.len() as u64) {
            let said = String::from_utf8_lossy(&said).into_owned();
            return if end.exit_status() == 0 { Ok(said) } else { bail!("the servers fail: {said}") };
        }
    }
}

/// Retries until `attempt` succeeds or the time is over.
fn insist<T>(limit: Duration, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
}

/// Runs `visit` in this many threads at once, each with its number.
fn crowd(count: u32, visit: impl Fn(u32) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..count).map(|number| (number, &visit)).collect();
        let visitors: Vec<_> =
            visitors.into_iter().map(|(number, visit)| scope.spawn(move || visit(number))).collect();
        visitors.into_iter().try_for_each(|visitor| match visitor.join() {
            Ok(result) => result,
            Err(_) => bail!("a visitor panicked"),
        })
    })
}

/// Makes bytes that depend on their offset and on the value's number, so that a mix-up shows.
fn bytes(count: usize, of: u32) -> Vec<u8> {
    (0..count).map(|place| ((place + of as usize) % 251) as u8).collect()
}

/// Sizes around those of segments and of the servers' buffers.
const SIZES: [usize; 10] = [0, 1, 100, 1459, 1460, 1461, 16_384, 65_537, 300_000, 1 << 20];
