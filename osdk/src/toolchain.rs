//! Running cargo, with the toolchain that the launcher chose.

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

/// A step that takes longer says what it is doing.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much a build says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Everything cargo says.
    Full,
    /// Nothing if it is quick, a line if it takes long, everything if it fails.
    OnFailure,
}

/// A cargo command in a directory of the project, from the lock file alone.
pub(crate) fn cargo(directory: &str, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(project::root().join(directory)).args([subcommand, "--locked"]);
    command
}

/// Runs a build and gives the programs it made, in cargo's order, each with the name of its target.
pub(crate) fn executables(mut build: Command, what: &str, output: Output) -> Result<Vec<(String, PathBuf)>> {
    build.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    if output == Output::OnFailure {
        build.stderr(Stdio::piped());
    }
    let mut child = build.spawn().context("cannot start cargo")?;
    let complaints = child.stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut text = Vec::new();
            // What could be read is still worth showing.
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
        bail!("cannot build {what}");
    }
    Ok(parse(&messages))
}

/// The executables among cargo's messages.
fn parse(messages: &str) -> Vec<(String, PathBuf)> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_other_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"pipe"},"executable":"/t/pipe-1"}
{"reason":"compiler-artifact","target":{"name":"libc"},"executable":null}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(parse(messages), [("pipe".to_owned(), PathBuf::from("/t/pipe-1"))]);
    }
}
