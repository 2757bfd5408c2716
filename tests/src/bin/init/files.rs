//! Makes the files that programs expect and that no archive can hold.

use std::path::Path;

use crate::process;

/// Mounts and fills `/dev` and `/proc` as programs expect, where the kernel has not done so itself.
///
/// It ignores a failed mount: a program that needs the files reports it better than init can.
pub(crate) fn prepare() {
    if !Path::new("/dev/ttyS1").exists() {
        process::mount(c"devtmpfs", c"/dev");
    }
    if !Path::new("/proc/self").exists() {
        process::mount(c"proc", c"/proc");
    }
    if !Path::new("/dev/pts/ptmx").exists() {
        // Ignore errors: the mount shows whether the directory exists.
        let _ = std::fs::create_dir("/dev/pts");
        process::mount(c"devpts", c"/dev/pts");
    }
    for (name, target) in STREAMS {
        // Ignore errors: the name may exist.
        let _ = std::os::unix::fs::symlink(target, name);
    }
}

/// The names of a program's own descriptors, which udev(7) makes elsewhere.
const STREAMS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];
