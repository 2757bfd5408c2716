//! `pollux exec`: one program of the host in the guest, as if it ran here.

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
    cli::{ExecOptions, GuestOptions, RunOptions},
    initramfs::Initramfs,
    machine::Machine,
    program,
    session::{Event, Input, Session, Stream},
};

/// The status that timeout(1) gives.
const TIMED_OUT: u8 = 124;

/// What a program in the guest finds in its environment: nothing of the host's.
const ENVIRONMENT: [&str; 3] = ["PATH=/bin", "HOME=/root", "TERM=dumb"];

/// `pollux exec`.
pub(crate) fn command(options: &ExecOptions) -> Result<ExitCode> {
    program::check(&options.program)?;
    let environment = environment(&options.env)?;
    run(&options.program, &options.args, environment, &options.guest)
}

/// `pollux run`: the tour.
pub(crate) fn tour(options: &RunOptions) -> Result<ExitCode> {
    run(&build::program("tour")?, &[], environment(&[])?, &options.guest)
}

/// Boots, runs the program, and gives its status as our own.
fn run(program: &Path, args: &[OsString], env: Vec<CString>, options: &GuestOptions) -> Result<ExitCode> {
    let guest = program::guest_path(program)?;
    let mut initramfs = Initramfs::new()?;
    initramfs.file(&guest, 0o755, &fs::read(program)?)?;
    for (host, guest) in &options.files.files {
        initramfs.copy(host, guest)?;
    }
    let job = Job { argv: argv(&guest, args)?, env, timeout: None };
    initramfs.init(&JobList { stdio: Stdio::Ports, jobs: vec![job] })?;
    let machine = Machine::prepare(options.kernel, &options.hardware)?;
    let limit = options.timeout.0.filter(|_| !machine.is_debugged());
    let session = Session::start(&machine, &initramfs.finish()?)?;
    attend(session, limit, options.log.as_deref())
}

/// Passes everything on until the program has ended.
fn attend(mut session: Session, limit: Option<Duration>, log: Option<&Path>) -> Result<ExitCode> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let feeder = feed(session.input());
    let mut counts = (0, 0);
    let mut end: Option<End> = None;
    loop {
        match session.next(deadline)? {
            Event::Output(Stream::Stdout, bytes) => {
                counts.0 += bytes.len() as u64;
                let mut stdout = io::stdout();
                stdout.write_all(&bytes).and_then(|()| stdout.flush()).context("cannot write to stdout")?;
            }
            Event::Output(Stream::Stderr, bytes) => {
                counts.1 += bytes.len() as u64;
                io::stderr().write_all(&bytes).context("cannot write to stderr")?;
            }
            // Fails only if stdin broke, which the program then sees as its end.
            Event::Message(Message::More) => drop(feeder.send(())),
            Event::Message(Message::End(seen)) => end = Some(seen),
            Event::Message(Message::Fault(reason)) => {
                return Err(failed(&session, log, &format!("init: {reason}")));
            }
            Event::Message(_) => {}
            Event::Exited(status) => {
                return Err(failed(
                    &session,
                    log,
                    &format!("the kernel went down under the program (QEMU: {status})"),
                ));
            }
            Event::TimedOut => {
                eprint!("{}", session.whereabouts());
                let limit = limit.unwrap_or_default();
                let reason = format!("ended after {limit:?}, as --timeout asks");
                eprintln!("pollux: {:#}", failed(&session, log, &reason));
                return Ok(ExitCode::from(TIMED_OUT));
            }
        }
        if let Some(end) = end.filter(|end| (end.stdout, end.stderr) == counts) {
            save(&session.finish()?, log)?;
            return Ok(ExitCode::from(end.exit_status()));
        }
    }
}

/// The reason, after the kernel's last words.
fn failed(session: &Session, log: Option<&Path>, reason: &str) -> anyhow::Error {
    eprint!("{}", session.last_words());
    match save(session.log(), log) {
        Ok(()) => anyhow!("{reason}"),
        Err(error) => error.context(reason.to_owned()),
    }
}

fn save(text: &[u8], log: Option<&Path>) -> Result<()> {
    match log {
        Some(path) => fs::write(path, text).with_context(|| path.display().to_string()),
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

fn argv(guest: &Path, args: &[OsString]) -> Result<Vec<CString>> {
    let words = [guest.as_os_str()].into_iter().chain(args.iter().map(OsString::as_os_str));
    words.map(|word| CString::new(word.as_bytes()).context("an argument contains a NUL byte")).collect()
}

/// The standard environment, with these assignments added or put in place.
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
