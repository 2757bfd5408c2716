//! The host-side kit of Pollux: builds the kernel, packs the initramfs, runs programs and tests in QEMU.
//!
//! Exit status: the guest program's if there is one; 124 after a time limit; 125 if the kit, QEMU or the kernel
//! failed (as with timeout(1) and env(1)).

mod alone;
mod backlog;
mod batch;
mod bench;
mod book;
mod build;
mod check;
mod cli;
mod debian;
mod dialogue;
mod differential;
mod doc;
mod driven;
mod exec;
mod exhaustion;
mod failures;
mod fuzz;
mod image;
mod impairment;
mod initramfs;
mod ktest;
mod last_words;
mod libraries;
mod libtest;
mod llvm;
mod machine;
mod monitor;
mod network;
mod peer;
mod profile;
mod program;
mod project;
mod proof;
mod python;
mod screenshot;
mod script;
mod servers;
mod session;
mod shell;
mod starts;
mod stress;
mod symbols;
mod test;
mod toolchain;
mod twin;
mod venv;
mod visit;
mod visited;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// The exit status if the kit or the machine failed.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return complain(&error),
    };
    let result = match &cli.command {
        Command::Build(options) => build::command(options),
        Command::Exec(options) => exec::command(options),
        Command::Run(options) => exec::tour(options),
        Command::Test(options) => test::command(options),
        Command::Bench(options) => bench::command(options),
        Command::Profile(options) => profile::command(options),
        Command::Proof => proof::command(),
        Command::Check => check::command(),
        Command::Doc => doc::command(),
        Command::Book(options) => book::command(options),
        Command::Image(options) => image::command(options),
        Command::Initramfs => build::initramfs_command(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("pollux: {error:#}");
        ExitCode::from(FAILED)
    })
}

/// Prints clap's help to stdout in full, and its complaints to stderr: the first paragraph, as one line.
fn complain(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    eprintln!("pollux: {} (see --help)", cli::first_paragraph(&error.to_string()));
    ExitCode::from(FAILED)
}
