//! What a dynamically linked program of the host needs in the guest: its interpreter and its shared libraries.
//!
//! Not here: what a program opens later by itself (`--file`).   Source: ldd(1).

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::initramfs::Initramfs;

/// Puts the libraries of these programs into the guest, where they are on the host; each once.
pub(crate) fn pack(programs: &[&Path], files: &mut Initramfs) -> Result<()> {
    let mut all = Vec::new();
    for program in programs {
        let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
        if !output.status.success() {
            bail!("{}: not dynamically linked, says ldd", program.display());
        }
        all.extend(named(&String::from_utf8_lossy(&output.stdout)));
    }
    all.sort();
    all.dedup();
    all.iter().try_for_each(|library| files.copy(library, library))
}

/// The files in lines like `libc.so.6 => /lib/libc.so.6 (0x00007f12)` and `/lib64/ld.so (0x00007f34)`.
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
