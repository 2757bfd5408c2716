//! The test of the network card: sends requests from the host to the HTTP server in the guest.
//!
//! Owns: the visits.   Not here: the HTTP client (`visit`), a kernel's sockets in every state (tests/tests).

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use pollux_protocol::{
    job::{JobList, Stdio},
    message::Message,
};

use crate::{
    build,
    cli::{GuestOptions, HardwareOptions, KernelOptions},
    driven,
    initramfs::Initramfs,
    libtest::Tally,
    machine::{self, Machine},
    session::{Event, Session},
    visit::{self, Visit},
    visited::Visits,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "network";

/// The server's path in the guest, and its port.
pub(crate) const SERVER: &str = "/bin/httpd";
pub(crate) const PORT: u16 = 80;

/// The time limit of the boot.
pub(crate) const BOOT: Duration = Duration::from_secs(60);

/// The time limit of the whole test.
const LIMIT: Duration = Duration::from_secs(1200);

/// Simultaneous visitors.
const CROWD: usize = 50;

/// Timed requests of four visitors together.
const REQUESTS: u32 = 2000;

/// A visit: one check of the server.
type Errand = (&'static str, fn(u16, usize) -> Result<()>);

const ERRANDS: [Errand; 9] = [
    ("a page and what is not there", |port, _| {
        let mut visit = Visit::begin(port)?;
        ensure!(visit.get("/none")?.0 == 404, "a page that is not there");
        ensure!(visit.get("/counters")?.0 == 200, "no counters");
        ensure!(String::from_utf8_lossy(&visit.get("/")?.1).contains("Pollux"), "another page");
        Ok(())
    }),
    ("the stream behind the page", |port, _| {
        let events = visit::events(port, "/live", 6)?;
        let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(names == ["counters", "trace"].repeat(3), "the events {names:?}");
        // The first message tells what was before; Linux has neither file.
        let (counters, trace) = (&events[0].1, &events[1].1);
        let is_told = counters.starts_with("class") && trace.contains("sleeps");
        ensure!(is_told || counters.is_empty() && trace.is_empty(), "it says {counters}{trace}");
        Visit::begin(port)?.compare_bytes(100)
    }),
    ("the page in a browser", |port, _| {
        let mut state = String::new();
        // The browser looks once, after some seconds, and a busy machine may need longer.
        for _ in 0..6 {
            // Debian's Chromium, where it is installed. Root has no sandbox.
            let mut browser = Command::new("chromium");
            browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--timeout=8000", "--dump-dom"]);
            let shown = match browser.arg(format!("http://127.0.0.1:{port}/")).output() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                shown => String::from_utf8_lossy(&shown?.stdout).into_owned(),
            };
            let told = shown.split_once("id=\"state\">").and_then(|(_, rest)| rest.split('<').next());
            told.unwrap_or("no page").clone_into(&mut state);
            if state.contains(" messages, ") && !state.starts_with('0') {
                return Ok(());
            }
        }
        bail!("the page says: {state}")
    }),
    ("sizes around those of segments", |port, _| {
        let mut visit = Visit::begin(port)?;
        let sizes = (0..4).flat_map(|count| (0..5).map(move |more| 1460 * count + more));
        sizes.into_iter().try_for_each(|size| visit.compare_bytes(size))
    }),
    ("much from the guest", |port, size| Visit::begin(port)?.compare_bytes(size)),
    ("much to the guest", |port, size| {
        let body: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        let (_, answer) = Visit::begin(port)?.post("/sum", &body)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        ensure!(answer == format!("{size} {sum}\n"), "sent {size} bytes, sum {sum}; it says {answer}");
        Ok(())
    }),
    ("many at the same time", |port, _| {
        let mut visits = (0..CROWD).map(|_| arrive(port)).collect::<Result<Vec<_>>>()?;
        visits.iter_mut().rev().try_for_each(|visit| visit.compare_bytes(10_000))
    }),
    ("unreachable addresses", |port, _| {
        // QEMU answers no ARP request for 10.0.2.200, and refuses connections to its own discard service.
        for (path, expected) in [
            ("10.0.2.200", "113\n"),
            ("10.0.2.2", "111\n"),
            ("10.0.2.2/127.0.0.1", "22\n"),
            ("10.0.2.15/127.0.0.1", "111\n"),
            ("127.0.0.1/10.0.2.15", "111\n"),
        ] {
            let (_, said) = Visit::begin(port)?.get(&format!("/reach/{path}"))?;
            let said = String::from_utf8_lossy(&said).into_owned();
            ensure!(said == expected, "connect to {path}: {said}");
        }
        Ok(())
    }),
    ("one after the other", |port, _| (0..100).try_for_each(|_| Visit::begin(port)?.compare_bytes(100))),
];

/// Boots the kernel with a card, makes the visits, and returns their results.
pub(crate) fn run(
    kernel: KernelOptions,
    hardware: &HardwareOptions,
    is_long: bool,
) -> Result<(Tally, String)> {
    let (session, port) = serve(kernel, hardware)?;
    if let Err(error) = visit::await_server(port, BOOT) {
        let tally = Tally { failed: 1, ..Tally::default() };
        return Ok((tally, format!("nobody answers: {error:#}\n{}", session.last_words())));
    }
    let size = if is_long { 200 << 20 } else { 8 << 20 };
    let mut visits = Visits::default();
    for (name, errand) in ERRANDS {
        visits.note(name, errand(port, size));
    }
    if visits.tally.failed == 0 {
        let time = time_of_a_request(port, 4, REQUESTS)?;
        visits.notes = format!("{:.0} requests a second", 1.0 / time.as_secs_f64());
    }
    Ok((visits.tally, visits.notes))
}

/// Boots the kernel with a card and the server, to which the host's port is forwarded.
pub(crate) fn serve(kernel: KernelOptions, hardware: &HardwareOptions) -> Result<(Session, u16)> {
    let port = machine::free_port()?;
    let hardware = HardwareOptions { forwards: vec![(port, PORT)], ..hardware.clone() };
    let files = pack(&[], LIMIT)?;
    Ok((Session::start(&Machine::prepare(kernel, &hardware)?, &files)?, port))
}

/// Packs the guest's files: the server, whose arguments are its port and these words.
pub(crate) fn pack(words: &[&str], timeout: Duration) -> Result<Vec<u8>> {
    let mut files = Initramfs::new()?;
    files.copy(&build::program("httpd")?, Path::new(SERVER))?;
    let server = driven::job(&[&[SERVER, &PORT.to_string()], words].concat(), timeout)?;
    files.init(&JobList { stdio: Stdio::Ports, jobs: vec![server] })?;
    files.finish()
}

/// Forwards a port of the host to the server, unless one is forwarded, and returns it.
pub(crate) fn forward(hardware: &mut HardwareOptions) -> Result<u16> {
    let given = hardware.forwards.iter_mut().find(|(_, guest)| *guest == PORT);
    let port = match given {
        Some((host, _)) if *host != 0 => return Ok(*host),
        Some((host, _)) => {
            *host = machine::free_port()?;
            *host
        }
        None => {
            let port = machine::free_port()?;
            hardware.forwards.push((port, PORT));
            port
        }
    };
    Ok(port)
}

/// Boots once more with a card, lets the server query itself over the loopback, and queries it from outside.
pub(crate) fn visit_once(options: &GuestOptions, port: u16) -> Result<ExitCode> {
    println!("\nAn HTTP server on epoll, asked over the loopback and through the network card");
    let files = pack(&["visit"], BOOT)?;
    let mut session = Session::start(&Machine::prepare(options.kernel, &options.hardware)?, &files)?;
    let deadline = Instant::now() + BOOT;
    let (mut said, mut is_asked) = (String::new(), false);
    loop {
        match session.next(Some(deadline))? {
            Event::Output(_, bytes) => {
                io::stdout().write_all(&bytes)?;
                said += &String::from_utf8_lossy(&bytes);
                if !is_asked && said.contains("ready on port") {
                    is_asked = true;
                    thread::spawn(move || match visit::await_server(port, BOOT) {
                        Ok(page) => println!(
                            "http://127.0.0.1:{port}/ on this machine: a page of {} bytes",
                            page.len()
                        ),
                        Err(error) => println!("http://127.0.0.1:{port}/ on this machine: {error:#}"),
                    });
                }
            }
            Event::Message(Message::End(end)) => {
                session.finish()?;
                return Ok(ExitCode::from(end.exit_status()));
            }
            Event::Message(_) => {}
            Event::Exited(_) | Event::TimedOut => bail!("the guest did not answer\n{}", session.last_words()),
        }
    }
}

/// Connects, and gives QEMU the time to accept: QEMU lets one connection wait, and the kernel retries the next after
/// a second.
fn arrive(port: u16) -> Result<Visit> {
    let visit = Visit::begin(port);
    thread::sleep(Duration::from_millis(20));
    visit
}

/// Measures the time of one of `requests` that several visitors make at once. The figure is only informative, because
/// the machine is never quiet.
pub(crate) fn time_of_a_request(port: u16, visitors: u32, requests: u32) -> Result<Duration> {
    let each = requests / visitors;
    let visits = (0..visitors).map(|_| arrive(port)).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let work = move |mut visit: Visit| (0..each).try_for_each(|_| visit.compare_bytes(100));
    let threads: Vec<_> = visits.into_iter().map(|visit| thread::spawn(move || work(visit))).collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a visitor panicked"))??;
    }
    Ok(started.elapsed() / (each * visitors))
}
