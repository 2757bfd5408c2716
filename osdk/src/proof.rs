//! `pollux proof`: proves the protocols of `pollee` for any number of threads, with z3.
//!
//! Owns: the virtual environment with the solver.   Not here: the models (kernel/pollee/proof).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{project, toolchain};

/// `pollux proof`.
pub(crate) fn command() -> Result<ExitCode> {
    let models = project::root().join("kernel/pollee/proof");
    let python = environment(&models.join("requirements.txt"), &project::products().join("proof"))?;
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
    run(test, "cannot trace the source")?;
    Ok(path)
}

/// The interpreter of a virtual environment in `directory` that has what `requirements` names; makes it at first use, and
/// again when the requirements change.
fn environment(requirements: &Path, directory: &Path) -> Result<PathBuf> {
    let python = directory.join("bin/python");
    let done = directory.join("requirements.txt");
    let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("pollux: installing the solver in {}", directory.display());
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(directory);
    run(venv, "the proof needs python3 with its module venv; `make setup` installs them")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(requirements);
    run(pip, "cannot install the solver")?;
    fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

/// Runs a step of the installation; `complaint` says what is wrong if it fails.
fn run(mut step: Command, complaint: &'static str) -> Result<()> {
    // Standard output belongs to the proof.
    let output = step.stdin(Stdio::null()).output().context(complaint)?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{complaint}: {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::process::Command;

    #[test]
    fn a_step_that_cannot_start_says_what_is_missing() {
        let error = run(Command::new("/nowhere/python3"), "python3 is needed").err();
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some("python3 is needed"));
    }

    #[test]
    fn a_step_that_fails_repeats_what_it_said() {
        let mut step = Command::new("sh");
        step.args(["-c", "echo no wheel; exit 1"]);
        let error = run(step, "cannot install").err();
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some("cannot install: no wheel"));
    }
}
