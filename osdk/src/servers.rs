//! The test with servers of others: Debian's redis-server and memcached, unmodified, are visited from the host through
//! the network card.
//!
//! Owns: the guest, the order of the visits, the figures.   Not here: what a visitor asks for (`redis`, `memcached`).
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

/// What `--test` calls it.
pub(crate) const NAME: &str = "servers";

/// The packages, and of those they depend on the ones that a small system may lack.
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

/// The programs in them: the name in the guest, and the file that it is a link to.
const PROGRAMS: [(&str, &str); 4] = [
    ("usr/bin/redis-server", "usr/bin/redis-check-rdb"),
    ("usr/bin/redis-cli", "usr/bin/redis-cli"),
    ("usr/bin/redis-benchmark", "usr/bin/redis-benchmark"),
    ("usr/bin/memcached", "usr/bin/memcached"),
];

/// Memcached lets only those be root who are named here.
const USERS: (&str, &str) = ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");

/// The ports in the guest.
const REDIS: u16 = 6379;
const MEMCACHED: u16 = 11211;

/// How long the guest may take to boot, a server to begin, and all of it.
const BOOT: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(1200);

/// Requests of each kind that are timed, and in the long form.
const REQUESTS: u32 = 2_000;
const MANY_REQUESTS: u32 = 100_000;

/// A visitor's errand.
type Errand = (&'static str, fn(u16) -> Result<()>);

/// Boots the kernel with the servers and a card, sends the visitors, and says how it went.
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

/// The guest's files.
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

/// Notes figures, which are to be looked at and not compared: the machine is never quiet.
fn note_figures(visits: &mut Visits, name: &str, result: Result<Vec<(String, f64)>>) {
    if let Ok(figures) = &result {
        let each: Vec<_> = figures.iter().map(|(what, rate)| format!("{what} {rate:.0}")).collect();
        visits.notes += &format!("requests a second, {name}: {}\n", each.join(", "));
    }
    visits.note(name, result.map(drop));
}

/// Waits for the end of the guest's script; what it printed.
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

/// Tries until it works, or the time is over.
fn insist<T>(limit: Duration, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
}

/// Does the same with this many visitors at a time, who are told their number.
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

/// Bytes that tell their place, and for which value they are.
fn bytes(count: usize, of: u32) -> Vec<u8> {
    (0..count).map(|place| ((place + of as usize) % 251) as u8).collect()
}

/// Sizes around those of segments and of the servers' own buffers.
const SIZES: [usize; 10] = [0, 1, 100, 1459, 1460, 1461, 16_384, 65_537, 300_000, 1 << 20];
