//! Scripts that the guest's BusyBox runs: a script of the directory tests/ is copied into the directory /tests of the guest.
//!
//! Not here: what a script does, and what its output means (`workload`, `stress`, `servers`).

use std::{path::Path, time::Duration};

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{driven, initramfs::Initramfs, project};

/// The host's BusyBox, which has to be static, and its place in the guest.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// Puts the script of this name into the guest, and the shell.
pub(crate) fn pack(name: &str, files: &mut Initramfs) -> Result<()> {
    files.copy(&project::root().join(format!("tests/{name}/script.sh")), Path::new(&guest(name)))?;
    files.copy_once(Path::new(BUSYBOX), Path::new(BUSYBOX))
}

/// Runs the script of this name with these words.
pub(crate) fn job(name: &str, words: &[&str], timeout: Duration) -> Result<Job> {
    driven::job(&[&[BUSYBOX, "sh", &guest(name)], words].concat(), timeout)
}

fn guest(name: &str) -> String {
    format!("/tests/{name}.sh")
}
