//! `pollux exec`: one program of the host in the guest, as if it ran here.

use std::{
    ffi::CString,
    fs,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow};
use pollux_protocol::{
    frame::{self, Frame},
    job::{self, Job, JobList, Stdio},
    message::{End, Message},
};

use crate::{
    build,
    cli::ExecOptions,
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
    let guest = program::guest_path(&options.program)?;
    let job = Job { argv: argv(&guest, options)?, env: environment(&options.env)?, timeout: None };
    let mut initramfs = Initramfs::new()?;
    initramfs.file(&guest, 0o755, &fs::read(&options.program)?)?;
    for (host, guest) in &options.files {
        initramfs.copy(host, guest)?;
    }
    initramfs.copy(&build::init()?, Path::new("/init"))?;
    let jobs = JobList { stdio: Stdio::Ports, jobs: vec![job] };
    initramfs.file(Path::new(job::PATH), 0o644, &jobs.encode())?;
    let machine = Machine::prepare(&options.machine)?;
    let session = Session::start(&machine, &initramfs.finish()?)?;
    attend(session, options)
}

/// Passes everything on until the program has ended.
fn attend(mut session: Session, options: &ExecOptions) -> Result<ExitCode> {
    let deadline = options.timeout.0.map(|limit| Instant::now() + limit);
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
                return Err(failed(&session, options, &format!("init: {reason}")));
            }
            Event::Message(_) => {}
            Event::Exited(status) => {
                return Err(failed(
                    &session,
                    options,
                    &format!("the kernel went down under the program (QEMU: {status})"),
                ));
            }
            Event::TimedOut => {
                let limit = options.timeout.0.unwrap_or_default();
                let reason = format!("ended after {limit:?}, as --timeout asks");
                eprintln!("pollux: {:#}", failed(&session, options, &reason));
                return Ok(ExitCode::from(TIMED_OUT));
            }
        }
        if let Some(end) = end.filter(|end| (end.stdout, end.stderr) == counts) {
            save(&session.finish()?, options)?;
            return Ok(ExitCode::from(end.exit_status()));
        }
    }
}

/// The reason, after the kernel's last words.
fn failed(session: &Session, options: &ExecOptions, reason: &str) -> anyhow::Error {
    eprint!("{}", session.last_words());
    match save(session.log(), options) {
        Ok(()) => anyhow!("{reason}"),
        Err(error) => error.context(reason.to_owned()),
    }
}

fn save(log: &[u8], options: &ExecOptions) -> Result<()> {
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

fn argv(guest: &Path, options: &ExecOptions) -> Result<Vec<CString>> {
    let words = [guest.as_os_str()].into_iter().chain(options.args.iter().map(|word| word.as_os_str()));
    words.map(|word| CString::new(word.as_bytes()).context("an argument contains a NUL byte")).collect()
}

/// The standard environment, with these assignments added or put in place.
fn environment(additions: &[String]) -> Result<Vec<CString>> {
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
