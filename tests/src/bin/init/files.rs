//! The files that programs expect and that no archive can hold.

use std::path::Path;

use crate::process;

/// Makes `/dev` and `/proc` what programs expect, where the kernel has not done so itself.
///
/// A mount that fails is left alone: a program that needs the files will say so better than init can.
pub(crate) fn prepare() {
    if !Path::new("/dev/ttyS1").exists() {
        process::mount(c"devtmpfs", c"/dev");
    }
    if !Path::new("/proc/self").exists() {
        process::mount(c"proc", c"/proc");
    }
    if !Path::new("/dev/pts/ptmx").exists() {
        // What exists already, and what cannot be made, shows in the mount.
        let _ = std::fs::create_dir("/dev/pts");
        process::mount(c"devpts", c"/dev/pts");
    }
}
