//! `pollux check`: what can be said about the code without running it. Warnings are errors.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{
    build::{self, BARE_METAL},
    cli::Policy,
    image::STAGE,
    project, toolchain,
};

/// The crates that run on the host, as arguments for cargo.
const HOST: [&str; 5] = [
    "--package=pollee",
    "--package=rules",
    "--package=handover",
    "--package=pollux-osdk",
    "--package=pollux-protocol",
];

/// The crates that the kernel consists of.
const KERNEL: [&str; 2] = ["--package=kernel", "--package=pollux-kernel"];

/// `pollux check`.
pub(crate) fn command() -> Result<ExitCode> {
    let mut failed = Vec::new();
    for (name, mut step) in steps() {
        eprintln!("pollux: checking {name} …");
        let status = step.status().with_context(|| format!("cannot check {name}"))?;
        if !status.success() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("pollux: not clean: {}", failed.join("; "));
    Ok(ExitCode::FAILURE)
}

fn steps() -> Vec<(String, Command)> {
    let mut steps = vec![
        ("the format".to_owned(), format()),
        (
            "imports in the kernel".to_owned(),
            cargo("", "test", &["--quiet", "--package=pollux-osdk", "--test=layers"]),
        ),
        ("the host's crates".to_owned(), clippy("", &[&HOST[..], &["--all-targets"]].concat())),
        ("the proof".to_owned(), proof()),
        ("the table of atomic accesses".to_owned(), accesses()),
        ("the model check".to_owned(), clippy("", &["--package=pollee", "--features=loom", "--test=loom"])),
        (
            "the random schedules".to_owned(),
            clippy("", &["--package=pollee", "--features=shuttle", "--test=shuttle"]),
        ),
        ("the guest's programs".to_owned(), clippy("tests", &["--all-targets"])),
    ];
    for policy in [Policy::Hybrid, Policy::Stateful, Policy::Stateless] {
        let arguments = [&BARE_METAL[..], &KERNEL, &[build::features(policy)]].concat();
        steps.push((format!("the kernel with the {policy:?} Pollee").to_lowercase(), clippy("", &arguments)));
    }
    let stage = [&STAGE[..], &["--package=pollux-stage"]].concat();
    steps.push(("the boot stage".to_owned(), clippy("", &stage)));
    steps.push(("the image builder".to_owned(), image_builder()));
    steps.push(("the host's documentation".to_owned(), documentation("", &HOST)));
    steps.push(("the guest's documentation".to_owned(), documentation("tests", &["--lib"])));
    let arguments = [&BARE_METAL[..], &KERNEL].concat();
    steps.push(("the kernel's documentation".to_owned(), documentation("", &arguments)));
    steps
}

fn format() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(project::root()).args(["fmt", "--all", "--check"]);
    command
}

fn clippy(directory: &str, arguments: &[&str]) -> Command {
    cargo(directory, "clippy", &[&["--quiet"], arguments, &["--", "--deny=warnings"]].concat())
}

/// Without the loader inside, which takes minutes to build: it is an empty file for this.
fn image_builder() -> Command {
    let directory = project::target().join("boot-check");
    let mut command = cargo("", "clippy", &["--quiet", "--package=pollux-image"]);
    command.args(["--config", "build.rustflags = ['--cfg=docsrs_dummy_build']"]);
    command.arg("--target-dir").arg(directory).args(["--", "--deny=warnings"]);
    command
}

fn documentation(directory: &str, arguments: &[&str]) -> Command {
    let mut command =
        cargo(directory, "doc", &[&["--quiet", "--no-deps", "--document-private-items"], arguments].concat());
    command.env("RUSTDOCFLAGS", "--deny=warnings");
    command
}

/// The kit again, which installs the solver where it is missing.
fn proof() -> Command {
    let mut command = Command::new(project::root().join("osdk/pollux"));
    command.arg("proof");
    command
}

fn accesses() -> Command {
    cargo("", "test", &["--quiet", "--package=pollux-osdk", "--test=accesses"])
}

fn cargo(directory: &str, subcommand: &str, arguments: &[&str]) -> Command {
    let mut command = toolchain::cargo(directory, subcommand);
    command.args(arguments);
    command
}
