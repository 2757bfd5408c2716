//! Copies scripts from the directory tests/ into the guest's /tests, where its BusyBox runs them.
//!
//! Not here: a script's steps, and the meaning of its output (`workload`, `stress`, `servers`).

use std::{path::Path, time::Duration};

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{driven, initramfs::Initramfs, project};

/// The host's BusyBox, which must be static; it has the same path in the guest.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// Adds the script of this name and the shell to the guest.
pub(crate) fn pack(name: &str, files: &mut Initramfs) -> Result<()> {
    files.copy(&project::root().join(format!("tests/{name}/script.sh")), Path::new(&guest(name)))?;
    files.copy_once(Path::new(BUSYBOX), Path::new(BUSYBOX))
}

/// Makes the job that runs the script of this name with these arguments.
pub(crate) fn job(name: &str, words: &[&str], timeout: Duration) -> Result<Job> {
    driven::job(&[&[BUSYBOX, "sh", &guest(name)], words].concat(), timeout)
}

fn guest(name: &str) -> String {
    format!("/tests/{name}.sh")
}
