//! `pollux doc`: writes the documentation of our crates as one site.
//!
//! Owns: the site's place, and opening it.   Not here: the list of crates (`check`).

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{check, project};

/// `pollux doc`.
pub(crate) fn command() -> Result<ExitCode> {
    let site = project::target().join("doc");
    join(&site)?;
    for mut step in [check::host_documentation(), check::kernel_documentation()] {
        if !step.status().context("cannot run cargo doc")?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let start = site.join("kernel/index.html");
    if !start.exists() {
        bail!("rustdoc wrote no {}", start.display());
    }
    println!("{}", start.display());
    open_on_display(&start);
    Ok(ExitCode::SUCCESS)
}

/// Makes the directory of the kernel's documentation a link to `site`. Cargo has one directory per target; rustdoc
/// adds crates to an existing site.
fn join(site: &Path) -> Result<()> {
    let kernel = project::target().join("x86_64-unknown-none/doc");
    fs::create_dir_all(site)?;
    if kernel.is_symlink() {
        return Ok(());
    }
    if kernel.exists() {
        fs::remove_dir_all(&kernel).with_context(|| format!("cannot remove {}", kernel.display()))?;
    }
    fs::create_dir_all(kernel.with_file_name(""))?;
    symlink("../doc", &kernel).with_context(|| format!("cannot make {}", kernel.display()))
}

/// Opens a file in the desktop's browser, if there is a display and a browser. The user has the printed path otherwise.
pub(crate) fn open_on_display(file: &Path) {
    if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some()) {
        let silent = || Stdio::null();
        let _ = Command::new("xdg-open").arg(file).stdin(silent()).stdout(silent()).stderr(silent()).spawn();
    }
}
