//! `pollux exec`: runs a program of the host in the guest, as if it ran on the host.

use std::{
    ffi::{CString, OsString},
    fs,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use pollux_protocol::{
    frame::{self, Frame},
    job::{Job, JobList, Stdio},
    message::{End, Message},
};

use crate::{
    build,
    cli::{ExecOptions, GuestOptions, HardwareOptions, RunOptions},
    initramfs::Initramfs,
    libraries,
    machine::Machine,
    network, program,
    session::{Event, Input, Session, Stream},
    shell,
};

/// The exit status that timeout(1) uses.
const TIMED_OUT: u8 = 124;

/// The exit status that a shell reports for a program that SIGPIPE has ended.
const BROKEN_PIPE: u8 = 128 + 13;

/// The environment of a program in the guest; it inherits nothing from the host.
const ENVIRONMENT: [&str; 3] = ["PATH=/bin", "HOME=/root", "TERM=dumb"];

/// `pollux exec`.
pub(crate) fn command(options: &ExecOptions) -> Result<ExitCode> {
    let mut initramfs = Initramfs::new()?;
    if options.with_libs {
        libraries::pack(&[&options.program], &mut initramfs)?;
    } else {
        program::check(&options.program)?;
    }
    let environment = environment(&options.env)?;
    run(initramfs, &options.program, &options.args, environment, &options.guest)
}

/// `pollux run`: plays the tour, and on a terminal starts a shell after it.
pub(crate) fn tour(options: &RunOptions) -> Result<ExitCode> {
    let mut options = options.guest.clone();
    let hardware = options.hardware.clone();
    let port = network::forward(&mut options.hardware)?;
    if shell::has_terminal() {
        return shell::run(&options, port);
    }
    let tour =
        GuestOptions { hardware: HardwareOptions { forwards: Vec::new(), ..hardware }, ..options.clone() };
    let status = run(Initramfs::new()?, &build::program("tour")?, &[], environment(&[])?, &tour)?;
    if status == ExitCode::SUCCESS { network::visit_once(&options, port) } else { Ok(status) }
}

/// Boots, runs the program, and returns its status as our own.
fn run(
    mut initramfs: Initramfs,
    program: &Path,
    args: &[OsString],
    env: Vec<CString>,
    options: &GuestOptions,
) -> Result<ExitCode> {
    let guest = program::guest_path(program)?;
    initramfs.file(&guest, 0o755, &fs::read(program)?)?;
    for (host, guest) in &options.files.files {
        initramfs.copy(host, guest)?;
    }
    let job = Job { argv: argv(&guest, args)?, env, timeout: None };
    initramfs.init(&JobList { stdio: Stdio::Ports, jobs: vec![job] })?;
    let machine = Machine::prepare(options.kernel, &options.hardware)?;
    let limit = options.timeout.0.filter(|_| !machine.is_debugged());
    let attendance = Attendance {
        options,
        started: Instant::now(),
        session: Session::start(&machine, &initramfs.finish()?)?,
    };
    attendance.run(limit)
}

/// The guest while it runs the program.
struct Attendance<'a> {
    options: &'a GuestOptions,
    started: Instant,
    session: Session,
}

impl Attendance<'_> {
    /// Relays stdin, stdout and stderr until the program has ended.
    fn run(mut self, limit: Option<Duration>) -> Result<ExitCode> {
        let deadline = limit.map(|limit| self.started + limit);
        let feeder = feed(self.session.input());
        let mut counts = (0, 0);
        let mut boot = Duration::ZERO;
        let mut end: Option<End> = None;
        loop {
            match self.session.next(deadline)? {
                Event::Output(Stream::Stdout, bytes) => {
                    counts.0 += bytes.len() as u64;
                    let mut stdout = io::stdout();
                    match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
                        // Our reader is gone: on the host the program would have got SIGPIPE.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                            return Ok(ExitCode::from(BROKEN_PIPE));
                        }
                        written => written.context("cannot write to stdout")?,
                    }
                }
                Event::Output(Stream::Stderr, bytes) => {
                    counts.1 += bytes.len() as u64;
                    io::stderr().write_all(&bytes).context("cannot write to stderr")?;
                }
                Event::Message(Message::Ready) => boot = self.started.elapsed(),
                // This fails only if stdin broke, which the program sees as the end of its input.
                Event::Message(Message::More) => drop(feeder.send(())),
                Event::Message(Message::End(seen)) => end = Some(seen),
                Event::Message(Message::Fault(reason)) => return Err(self.failed(format!("init: {reason}"))),
                Event::Message(Message::Start(_) | Message::Done) => {}
                Event::Exited(status) => {
                    return Err(self.failed(self.session.downfall(status)));
                }
                Event::TimedOut => {
                    eprint!("{}", self.session.whereabouts());
                    let limit = limit.unwrap_or_default();
                    eprintln!(
                        "pollux: {:#}",
                        self.failed(format!("ended after {limit:?}, as --timeout asks"))
                    );
                    return Ok(ExitCode::from(TIMED_OUT));
                }
            }
            if let Some(end) = end.filter(|end| (end.stdout, end.stderr) == counts) {
                if self.options.time {
                    eprintln!("pollux: booted in {boot:.3?}, ran for {:.3?}", end.elapsed);
                }
                save(&self.session.finish()?, self.options)?;
                return Ok(ExitCode::from(end.exit_status()));
            }
        }
    }

    /// Prints the kernel's last words, and returns the reason as an error.
    fn failed(&self, reason: String) -> anyhow::Error {
        eprint!("{}", self.session.last_words());
        match save(self.session.log(), self.options) {
            Ok(()) => anyhow!("{reason}"),
            Err(error) => error.context(reason),
        }
    }
}

fn save(log: &[u8], options: &GuestOptions) -> Result<()> {
    match &options.log {
        Some(path) => fs::write(path, log).with_context(|| path.display().to_string()),
        None => Ok(()),
    }
}

/// Sends one frame of our stdin for each request.
fn feed(input: Input) -> mpsc::Sender<()> {
    let (requests, wanted) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; frame::MAX];
        for () in wanted {
            input.send(&match io::stdin().read(&mut bytes) {
                Ok(count @ 1..) => Frame::Data(bytes[..count].to_vec()),
                _ => Frame::End,
            });
        }
    });
    requests
}

/// Returns a program's arguments, its own path first.
pub(crate) fn argv(guest: &Path, args: &[OsString]) -> Result<Vec<CString>> {
    let words = [guest.as_os_str()].into_iter().chain(args.iter().map(OsString::as_os_str));
    words.map(|word| CString::new(word.as_bytes()).context("an argument contains a NUL byte")).collect()
}

/// Returns the standard environment, with these assignments added or replaced.
pub(crate) fn environment(additions: &[String]) -> Result<Vec<CString>> {
    let name = |entry: &str| entry.split('=').next().map(str::to_owned);
    let kept = ENVIRONMENT.into_iter().filter(|entry| !additions.iter().any(|new| name(new) == name(entry)));
    let entries = kept.chain(additions.iter().map(String::as_str));
    entries.map(|entry| CString::new(entry).context("the environment contains a NUL byte")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_replaces_a_standard_one() {
        let seen = environment(&["PATH=/x".into(), "A=b=c".into()]).unwrap_or_default();
        assert_eq!(seen, [c"HOME=/root", c"TERM=dumb", c"PATH=/x", c"A=b=c"].map(CString::from));
    }
}
