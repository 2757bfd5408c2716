//! The Python test: runs a script under Debian's unmodified python3, and compares each step's output on Linux and on
//! Pollux.
//!
//! Owns: the guest's files of Python.   Not here: the steps (tests/python/script.py), how they are compared
//! (`workload`).
//! Why: decision 0077.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use pollux_protocol::job::Job;

use crate::{
    cli::KernelOptions,
    debian,
    driven::{self, Driven, Verdict},
    initramfs::Initramfs,
    project,
    script::BUSYBOX,
    workload::Comparison,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "python";

/// Paths in the guest.
const SCRIPT: &str = "/tests/python.py";
const PROGRAM: &str = "usr/bin/python3.11";
const LIBRARY: &str = "usr/lib/python3.11";

/// The packages, with those of their dependencies that a small system may lack.
const PACKAGES: [&str; 6] = [
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libexpat1",
    "libffi8",
    "libsqlite3-0",
];

/// Parts of the library that the script does not import, a third of it.
const LEFT_OUT: [&str; 7] =
    ["lib2to3", "pydoc_data", "distutils", "ensurepip", "idlelib", "wsgiref", "xmlrpc"];

/// The time limit. The script takes fifteen seconds in emulation, on an idle machine.
const LIMIT: Duration = Duration::from_secs(180);

/// The script, and Linux's output.
#[derive(Default)]
pub(crate) struct Python(Comparison);

impl Driven for Python {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self, files: &mut Initramfs) -> Result<()> {
        let root = debian::fetch(NAME, &PACKAGES)?;
        files.copy(&project::root().join("tests/python/script.py"), Path::new(SCRIPT))?;
        files.copy_once(Path::new(BUSYBOX), Path::new(BUSYBOX))?;
        let mut all = Vec::new();
        walk(&root.join(LIBRARY), &mut all)?;
        for file in &all {
            files.copy(file, &Path::new("/").join(file.strip_prefix(&root)?))?;
        }
        all.retain(|file| file.extension().is_some_and(|extension| extension == "so"));
        debian::pack(&root, PROGRAM, &all, files)
    }

    fn job(&self, _: KernelOptions) -> Result<Option<Job>> {
        // BusyBox's commands under their own names.
        let command = format!("{BUSYBOX} --install -s /bin; exec /{PROGRAM} -X utf8 {SCRIPT}");
        driven::job(&[BUSYBOX, "sh", "-c", &command], LIMIT).map(Some)
    }

    fn judge(&mut self, kernel: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        self.0.judge(kernel, stdout, status)
    }
}

/// Collects the files of a directory tree.
fn walk(directory: &Path, all: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let is_left_out = LEFT_OUT.iter().any(|name| path.file_name().is_some_and(|seen| seen == *name));
        if path.is_dir() && !is_left_out {
            walk(&path, all)?;
        } else if path.is_file() {
            all.push(path);
        }
    }
    Ok(())
}
