//! Copies the interpreter and the shared libraries of dynamically linked programs into the guest.
//!
//! Not here: files that a program opens at run time (`--file`).   Source: ldd(1).

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::initramfs::Initramfs;

/// Debian's directories of shared libraries.
pub(crate) const DIRECTORIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];

/// Copies the libraries of these programs into the guest, to the same paths as on the host, each once.
pub(crate) fn pack(programs: &[&Path], files: &mut Initramfs) -> Result<()> {
    pack_from(Path::new("/"), programs, files)
}

/// Copies the libraries of programs in a directory with packages. The packages' libraries win over the host's.
pub(crate) fn pack_from(root: &Path, programs: &[&Path], files: &mut Initramfs) -> Result<()> {
    let mut all = Vec::new();
    for program in programs {
        let mut ldd = Command::new("ldd");
        if root != Path::new("/") {
            ldd.env("LD_LIBRARY_PATH", env::join_paths(DIRECTORIES.map(|directory| root.join(directory)))?);
        }
        let output = ldd.arg(program).output().context("cannot run ldd")?;
        if !output.status.success() {
            bail!("{}: not dynamically linked, says ldd", program.display());
        }
        let output = String::from_utf8_lossy(&output.stdout);
        if let Some(line) = output.lines().find(|line| line.ends_with("not found")) {
            bail!("{}: {}", program.display(), line.trim());
        }
        all.extend(named(&output));
    }
    all.sort();
    all.dedup();
    all.iter().try_for_each(|library| {
        let guest =
            library.strip_prefix(root).map_or_else(|_| library.clone(), |inner| Path::new("/").join(inner));
        files.copy_once(library, &guest)
    })
}

/// Parses lines like `libc.so.6 => /lib/libc.so.6 (0x00007f12)` and `/lib64/ld.so (0x00007f34)`.
fn named(output: &str) -> impl Iterator<Item = PathBuf> {
    output.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_interpreter_are_files_but_the_vdso_is_not() {
        let output = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so (0x3)\n";
        assert_eq!(
            named(output).collect::<Vec<_>>(),
            [Path::new("/lib/libc.so.6"), Path::new("/lib64/ld.so")]
        );
    }
}
