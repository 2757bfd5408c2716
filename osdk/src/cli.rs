//! The command line: what can be said, and what it means.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Build, run and test the Pollux kernel.
#[derive(Parser)]
#[command(name = "osdk/pollux", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build the kernel and say where it is
    Build(BuildOptions),
    /// Run one Linux program in the guest and exit with its status
    Exec(Box<ExecOptions>),
}

#[derive(Args)]
pub(crate) struct BuildOptions {
    /// How the Pollee keeps events
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: Policy,
}

#[derive(Args)]
pub(crate) struct ExecOptions {
    #[command(flatten)]
    pub(crate) machine: MachineOptions,
    /// Put the host's file HOST into the guest as GUEST (may be repeated)
    #[arg(long = "file", value_name = "HOST:GUEST", value_parser = file)]
    pub(crate) files: Vec<(PathBuf, PathBuf)>,
    /// Add to the program's environment (may be repeated)
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) env: Vec<String>,
    /// End a program that takes longer, with status 124; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) timeout: Timeout,
    /// Write the kernel's log to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// A static x86_64 Linux program on the host
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// The machine and the kernel on it.
#[derive(Args, Clone)]
pub(crate) struct MachineOptions {
    /// The kernel to run on
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on: Kernel,
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) smp: u8,
    /// Size of the memory, as 512M or 3G
    #[arg(long, value_name = "SIZE", default_value = "3G", value_parser = size)]
    pub(crate) mem: String,
    /// CPU model, in QEMU's words [default: max]
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// How the Pollee keeps events (no meaning on Linux)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: Policy,
    /// Count instructions: one CPU, and one nanosecond of guest time for each instruction
    #[arg(long)]
    pub(crate) icount: bool,
    /// Boot this kernel file instead: an ELF kernel for Pollux, a bzImage for Linux
    #[arg(long, value_name = "FILE")]
    pub(crate) kernel: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// This project's
    #[default]
    Pollux,
    /// Debian's Linux 6.1, for comparison
    Linux,
}

/// Which Pollee the kernel is built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Keeps what somebody asked for
    #[default]
    Hybrid,
    /// Keeps exact events always
    Stateful,
    /// Keeps nothing and computes at each poll
    Stateless,
}

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Option<Duration>);

/// The first paragraph of a text, as one line and without the word that opens it.
pub(crate) fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn file(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((host.into(), guest.into())),
        _ => Err("expected HOST:GUEST, with an absolute path in the guest".into()),
    }
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".into()),
    }
}

fn seconds(text: &str) -> Result<Timeout, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let limit = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok(Timeout((!limit.is_zero()).then_some(limit)))
}

fn size(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'k', 'm', 'g']).unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(1..) => Ok(text.to_owned()),
        _ => Err("expected a number with K, M or G".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(words: &[&str]) -> Result<ExecOptions, String> {
        let words = ["pollux", "exec"].iter().chain(words);
        match Cli::try_parse_from(words).map_err(|error| first_paragraph(&error.to_string()))?.command {
            Command::Exec(options) => Ok(*options),
            Command::Build(_) => Err("another command".into()),
        }
    }

    #[test]
    fn the_declaration_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        for words in
            [&["--smp", "2", "--", "sh", "-c", "--smp 3"], &["--smp", "2", "sh", "-c", "--smp 3"][..]]
        {
            let options = exec(words).map_err(|error| panic!("{error}")).ok();
            let seen = options.map(|options| (options.machine.smp, options.program, options.args));
            assert_eq!(seen, Some((2, "sh".into(), vec!["-c".into(), "--smp 3".into()])));
        }
    }

    #[test]
    fn a_wrong_option_is_named_in_one_line() {
        for (words, part) in [
            (&["--bogus", "x"][..], "--bogus"),
            (&["--smp", "0", "x"], "--smp"),
            (&["--mem", "much", "x"], "--mem"),
            (&["--file", "a:b", "x"], "--file"),
            (&["--timeout", "-1", "x"], "-1"),
            (&["--on", "minix", "x"], "minix"),
            (&[], "PROGRAM"),
        ] {
            let complaint = exec(words).err().unwrap_or_default();
            assert!(complaint.contains(part) && !complaint.contains('\n'), "{words:?}: {complaint:?}");
        }
    }

    #[test]
    fn no_timeout_is_said_with_zero() {
        assert_eq!(seconds("0"), Ok(Timeout(None)));
        assert_eq!(seconds("1.5"), Ok(Timeout(Some(Duration::from_millis(1500)))));
    }
}
