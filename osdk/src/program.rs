//! Checks and places programs of the host that run in the guest.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use object::{
    Endianness,
    elf::{EM_X86_64, FileHeader64, PT_INTERP},
    read::elf::{FileHeader, ProgramHeader},
};

/// Returns a program's path in the guest.
pub(crate) fn guest_path(host: &Path) -> Result<PathBuf> {
    let name = host.file_name().with_context(|| format!("{}: not a program", host.display()))?;
    Ok(Path::new("/bin").join(name))
}

/// Fails unless the file is a program that the guest can execute without any other file.
pub(crate) fn check(host: &Path) -> Result<()> {
    let bytes = fs::read(host).with_context(|| host.display().to_string())?;
    if let Err(complaint) = executable(&bytes) {
        bail!("{}: {complaint}", host.display());
    }
    Ok(())
}

fn executable(bytes: &[u8]) -> Result<(), &'static str> {
    const NOT_ELF: &str = "not an x86_64 ELF program";
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_| NOT_ELF)?;
    let endian = header.endian().map_err(|_| NOT_ELF)?;
    if header.e_machine(endian) != EM_X86_64 {
        return Err(NOT_ELF);
    }
    let segments = header.program_headers(endian, bytes).map_err(|_| NOT_ELF)?;
    if segments.is_empty() {
        return Err("an ELF object file, not a program");
    }
    if segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP) {
        return Err("dynamically linked; the guest has no shared libraries (add --with-libs)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_is_refused() {
        assert_eq!(executable(b"#!/bin/sh\n"), Err("not an x86_64 ELF program"));
        assert_eq!(executable(b"\x7fELF\x02\x01\x01"), Err("not an x86_64 ELF program"));
        assert_eq!(executable(b""), Err("not an x86_64 ELF program"));
    }

    #[test]
    fn a_dynamically_linked_program_is_refused() {
        // The test program itself is dynamically linked.
        let own = std::env::current_exe().and_then(fs::read).unwrap_or_default();
        assert!(executable(&own).is_err_and(|complaint| complaint.starts_with("dynamically linked")));
    }

    #[test]
    fn the_guest_finds_programs_in_bin() {
        assert_eq!(guest_path(Path::new("../x/busybox")).ok(), Some("/bin/busybox".into()));
        assert!(guest_path(Path::new("..")).is_err());
    }
}
