//! Virtual environments of Python, for tools that PyPI has: made below `target/` at first use.
//!
//! Invariant: pip checks the hashes that the requirements name, so an environment has these packages or none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The interpreter of a virtual environment in `directory` that has what `requirements` names; makes it at first use, and
/// again when the requirements change. `what` is what it has, for messages.
pub(crate) fn environment(what: &str, requirements: &Path, directory: &Path) -> Result<PathBuf> {
    let python = directory.join("bin/python");
    let done = directory.join("requirements.txt");
    let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("pollux: installing {what} in {}", directory.display());
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(directory);
    run(venv, "python3 with its module venv is needed; `make setup` installs them")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(requirements);
    run(pip, "pip cannot install what is needed")?;
    fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

/// Runs a step of the installation; `complaint` says what is wrong if it fails.
pub(crate) fn run(mut step: Command, complaint: &'static str) -> Result<()> {
    // Standard output belongs to the caller.
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
