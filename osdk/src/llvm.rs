//! Puts LLVM's tools where the build of the `bootloader` crate looks for them.
//!
//! The build asks the `rustc` in PATH for its sysroot and expects the tools below it, where rustup's component
//! `llvm-tools` installs them. Debian's packages install them elsewhere. There this module puts a wrapper of
//! `rustc` first in PATH, which reports a directory with links to the tools as its sysroot.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::project;

/// The tools that the build looks for and runs.
const TOOLS: [&str; 2] = ["llvm-objdump", "llvm-objcopy"];

/// The suffixes of their names: the LLVM of rustc 1.96 first, then the system's default.
const VERSIONS: [&str; 2] = ["-22", ""];

/// Lets a build find the tools.
pub(crate) fn provide(build: &mut Command) -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let libraries = Path::new(&sysroot).join("lib/rustlib");
    let beside = fs::read_dir(&libraries).with_context(|| libraries.display().to_string())?;
    if beside.filter_map(Result::ok).any(|entry| entry.path().join("bin").join(TOOLS[0]).exists()) {
        return Ok(());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let rustc = find("rustc", &path).context("no rustc in PATH")?;
    let root = project::products().join("llvm");
    let links = root.join("lib/rustlib/host/bin");
    fs::create_dir_all(&links).with_context(|| links.display().to_string())?;
    for tool in TOOLS {
        let found = VERSIONS.iter().find_map(|version| find(&format!("{tool}{version}"), &path));
        let Some(found) = found else { bail!("no {tool}; the package llvm-22 has it") };
        match symlink(found, links.join(tool)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).context(tool),
            _ => {}
        }
    }
    let own = root.join("bin");
    script(&own, &rustc, &root).with_context(|| own.display().to_string())?;
    let first = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path)))?;
    build.env("PATH", first).env("RUSTC", rustc);
    Ok(())
}

/// Writes the wrapper of `rustc` into a directory.
fn script(directory: &Path, rustc: &Path, root: &Path) -> std::io::Result<()> {
    let (rustc, root) = (rustc.display(), root.display());
    let text =
        format!("#!/bin/sh\n[ \"$*\" = '--print sysroot' ] && exec echo '{root}'\nexec '{rustc}' \"$@\"\n");
    fs::create_dir_all(directory)?;
    let path = directory.join("rustc");
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

fn find(name: &str, path: &OsString) -> Option<PathBuf> {
    std::env::split_paths(path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().context("cannot run rustc")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
