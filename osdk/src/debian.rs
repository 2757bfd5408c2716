//! Unpacks packages of Debian 12 below `target/`, without installing them.
//!
//! Invariant: a directory that exists holds all its packages, complete.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{initramfs::Initramfs, libraries, project};

/// Unpacks these packages below `target/` under this name, unless they are there, and returns the directory.
pub(crate) fn fetch(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let root = project::products().join(name);
    unpack(packages, &root).with_context(|| format!("cannot get what {name} takes from Debian's archive"))?;
    Ok(root)
}

/// Copies a program of a directory with packages into the guest, to its own path, with the libraries that it and its
/// plug-ins need.
pub(crate) fn pack(root: &Path, program: &str, loaded: &[PathBuf], files: &mut Initramfs) -> Result<()> {
    let host = root.join(program);
    files.copy(&host, &Path::new("/").join(program))?;
    let all: Vec<&Path> = loaded.iter().chain([&host]).map(PathBuf::as_path).collect();
    libraries::pack_from(root, &all, files)
}

/// Unpacks these packages into a directory, unless it exists. Does not fetch their dependencies.
pub(crate) fn unpack(packages: &[&str], directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    // Unpack beside the directory's place and then rename, so that an existing directory is complete.
    let draft = directory.with_extension(std::process::id().to_string());
    fs::create_dir_all(&draft).with_context(|| format!("cannot make {}", draft.display()))?;
    run(Command::new("apt-get").args(["download", "-q"]).args(packages).current_dir(&draft))?;
    for archive in archives(&draft)? {
        run(Command::new("dpkg").arg("-x").arg(&archive).arg(&draft))?;
        fs::remove_file(&archive)?;
    }
    match fs::rename(&draft, directory) {
        Ok(()) => {}
        // Another process was faster.
        Err(_) if directory.is_dir() => fs::remove_dir_all(&draft)?,
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", directory.display())),
    }
    Ok(())
}

fn archives(directory: &Path) -> Result<Vec<PathBuf>> {
    let all: std::io::Result<Vec<_>> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect();
    Ok(all?.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
}

/// Whether this system has Debian's tools for packages.
pub(crate) fn is_here() -> bool {
    ["/usr/bin/apt-get", "/usr/bin/dpkg"].iter().all(|tool| Path::new(tool).exists())
}

/// Runs a command and returns its output.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed: {}", complaint.lines().last().unwrap_or("no reason given"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
