//! Runs cargo, with the toolchain that the launcher chose.

use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::project;

/// The time after which a quiet step says what it is doing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The output of a build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Print everything.
    Full,
    /// Print nothing if it is quick, a line if it takes long, everything if it fails.
    OnFailure,
}

/// A program that cargo has built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executable {
    /// The name of its cargo target.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// The directory of its package, in which cargo would run it.
    pub(crate) directory: PathBuf,
}

/// The kind of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Test,
    Program,
}

/// Makes a cargo command in a directory of the project, which uses only the lock file's versions.
pub(crate) fn cargo(directory: &str, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(project::root().join(directory)).args([subcommand, "--locked"]);
    command
}

/// Runs a build and returns its programs.
pub(crate) fn executables(mut build: Command, what: &str, output: Output) -> Result<Vec<Executable>> {
    build.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    if output == Output::OnFailure {
        build.stderr(Stdio::piped());
    }
    let mut child = build.spawn().context("cannot start cargo")?;
    let complaints = child.stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut text = Vec::new();
            // Show the part that could be read.
            let _ = stderr.read_to_end(&mut text);
            text
        })
    });
    let (finished, waiting) = mpsc::channel::<()>();
    let note = format!("pollux: building {what}");
    let watcher = thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{note} …");
        }
    });
    let mut messages = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut messages).context("cannot read cargo's messages")?;
    }
    let status = child.wait().context("cannot wait for cargo")?;
    drop(finished);
    let _ = watcher.join();
    if !status.success() {
        let complaints = complaints.and_then(|thread| thread.join().ok()).unwrap_or_default();
        eprint!("{}", String::from_utf8_lossy(&complaints));
        bail!("cannot build {what} (cargo: {status})");
    }
    Ok(parse(&messages))
}

/// Parses the executables in cargo's messages.
fn parse(messages: &str) -> Vec<Executable> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages
        .filter_map(|message| {
            let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
            let mut directory = PathBuf::from(text(&message["manifest_path"])?);
            directory.pop();
            Some(Executable {
                name: text(&message["target"]["name"])?,
                kind: if message["profile"]["test"] == true { Kind::Test } else { Kind::Program },
                path: text(&message["executable"])?.into(),
                directory,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_other_messages() {
        let messages = r#"{"manifest_path":"/p/Cargo.toml","target":{"name":"pipe"},"profile":{"test":true},"executable":"/t/pipe-1"}
{"manifest_path":"/p/Cargo.toml","target":{"name":"tour"},"profile":{"test":false},"executable":"/t/tour"}
{"manifest_path":"/c/Cargo.toml","target":{"name":"libc"},"profile":{"test":false},"executable":null}
not json
{"reason":"build-finished","success":true}"#;
        let program = |name: &str, kind, path: &str| Executable {
            name: name.into(),
            kind,
            path: path.into(),
            directory: "/p".into(),
        };
        let expected = [program("pipe", Kind::Test, "/t/pipe-1"), program("tour", Kind::Program, "/t/tour")];
        assert_eq!(parse(messages), expected);
    }
}
