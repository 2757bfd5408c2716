//! `pollux check`: checks the code without running it. Warnings are errors.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{
    build::{self, BARE_METAL},
    cli::Policy,
    image::STAGE,
    project, toolchain,
};

/// Cargo's arguments for the crates that run on the host.
const HOST: [&str; 8] = [
    "--package=exercises",
    "--package=frames",
    "--package=pollee",
    "--package=rules",
    "--package=vdso",
    "--package=handover",
    "--package=pollux-osdk",
    "--package=pollux-protocol",
];

/// The crates that the kernel consists of.
const KERNEL: [&str; 3] = ["--package=frames", "--package=kernel", "--package=pollux-kernel"];

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
        ("the proof".to_owned(), kit(&["proof"])),
        ("the book".to_owned(), kit(&["book", "--check"])),
        ("the table of atomic accesses".to_owned(), accesses()),
        (
            "what comments and documents name".to_owned(),
            cargo("", "test", &["--quiet", "--package=pollux-osdk", "--test=truth"]),
        ),
        (
            "the solutions of the book's exercises".to_owned(),
            cargo("", "test", &["--quiet", "--package=exercises", "--features=solved"]),
        ),
        ("the host's crates".to_owned(), clippy("", &[&HOST[..], &["--all-targets"]].concat())),
        ("the model check".to_owned(), explored("loom")),
        (
            "the model check of the frame allocator".to_owned(),
            clippy("", &["--package=frames", "--features=loom", "--test=loom"]),
        ),
        ("the random schedules".to_owned(), explored("shuttle")),
        ("the guest's programs".to_owned(), clippy("tests", &["--all-targets"])),
    ];
    for policy in [Policy::Hybrid, Policy::Stateful, Policy::Stateless] {
        let arguments = [&BARE_METAL[..], &KERNEL, &[build::features(policy)]].concat();
        steps.push((format!("the kernel with the {policy:?} Pollee").to_lowercase(), clippy("", &arguments)));
    }
    let stage = [&STAGE[..], &["--package=pollux-stage"]].concat();
    steps.push(("the boot stage".to_owned(), clippy("", &stage)));
    steps.push(("the image builder".to_owned(), image_builder()));
    steps.push(("the host's documentation".to_owned(), host_documentation()));
    steps.push(("the guest's documentation".to_owned(), documentation("tests", &["--lib"])));
    steps.push(("the kernel's documentation".to_owned(), kernel_documentation()));
    steps
}

/// Documents the crates that run on the host. Broken links are errors.
pub(crate) fn host_documentation() -> Command {
    documentation("", &HOST)
}

/// Documents the kernel's crates, for the target that they run on.
pub(crate) fn kernel_documentation() -> Command {
    documentation("", &[&BARE_METAL[..], &KERNEL].concat())
}

fn format() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(project::root()).args(["fmt", "--all", "--check"]);
    command
}

fn clippy(directory: &str, arguments: &[&str]) -> Command {
    cargo(directory, "clippy", &[&["--quiet"], arguments, &["--", "--deny=warnings"]].concat())
}

/// Lints the test of the Pollee under a scheduler.
fn explored(scheduler: &str) -> Command {
    let mut command = build::explored("clippy", scheduler);
    command.args(["--quiet", "--", "--deny=warnings"]);
    command
}

/// Lints the image builder with an empty file for the loader, which takes minutes to build.
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

/// The kit again, which installs what this step needs where it is missing.
fn kit(arguments: &[&str]) -> Command {
    let mut command = Command::new(project::root().join("osdk/pollux"));
    command.args(arguments);
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
