//! `pollux proof`: proves the protocols of `pollee` for any number of threads, with z3.
//!
//! Not here: the models (kernel/pollee/proof), installing the solver (`venv`).

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};

use crate::{project, toolchain, venv};

/// `pollux proof`.
pub(crate) fn command() -> Result<ExitCode> {
    let models = project::root().join("kernel/pollee/proof");
    let python = venv::environment(
        "the solver",
        &models.join("requirements.txt"),
        &project::products().join("proof"),
    )?;
    let trace = trace()?;
    let mut prove = Command::new(python);
    prove.arg(models.join("prove.py")).arg("--trace").arg(trace).env("PYTHONDONTWRITEBYTECODE", "1");
    let status = prove.status().context("cannot start the proof")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets the source write random runs, which the proof repeats.
fn trace() -> Result<PathBuf> {
    let path = project::products().join("proof/trace.jsonl");
    let mut test = toolchain::cargo("", "test");
    test.args(["--quiet", "--package=pollee", "--test=host", "trace"]).env("POLLUX_TRACE", &path);
    venv::run(test, "cannot trace the source")?;
    Ok(path)
}
