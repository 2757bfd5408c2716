//! The host-side kit of Pollux: builds the kernel, packs the initramfs, runs programs and tests in QEMU.
//!
//! Exit status: that of the guest program where there is one; 124 when time ran out; 125 when the kit, QEMU
//! or the kernel failed (as timeout(1) and env(1) have it).

mod backlog;
mod batch;
mod bench;
mod build;
mod check;
mod cli;
mod debian;
mod dialogue;
mod differential;
mod driven;
mod exec;
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
mod servers;
mod session;
mod shell;
mod starts;
mod stress;
mod symbols;
mod test;
mod toolchain;
mod twin;
mod visit;
mod visited;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// The kit itself failed, or the machine under the program did.
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
        Command::Image(options) => image::command(options),
        Command::Initramfs => build::initramfs_command(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("pollux: {error:#}");
        ExitCode::from(FAILED)
    })
}

/// Help goes to stdout in full; of a complaint only the first paragraph is worth reading, as one line.
fn complain(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    eprintln!("pollux: {} (see --help)", cli::first_paragraph(&error.to_string()));
    ExitCode::from(FAILED)
}
