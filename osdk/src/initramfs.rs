//! Builds the initramfs: an archive in "newc" format, which both kernels unpack into their root directory.
//!
//! Invariant: a directory comes before its entries, and no path comes twice.
//! Source: Linux 6.1 Documentation/driver-api/early-userspace/buffer-format.rst.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use cpio::newc;
use pollux_protocol::job::{self, JobList};

use crate::build;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// Directories that programs expect, and mount points.
const STANDARD: [(&str, u32); 6] =
    [("/bin", 0o755), ("/dev", 0o755), ("/etc", 0o755), ("/proc", 0o555), ("/root", 0o700), ("/tmp", 0o1777)];

/// An archive under construction.
#[derive(Clone)]
pub(crate) struct Initramfs {
    bytes: Vec<u8>,
    paths: BTreeSet<PathBuf>,
    next_inode: u32,
}

impl Initramfs {
    /// Makes an archive with the standard directories.
    pub(crate) fn new() -> Result<Self> {
        let mut archive = Self { bytes: Vec::new(), paths: BTreeSet::new(), next_inode: 1 };
        for (path, mode) in STANDARD {
            archive.entry(Path::new(path), DIRECTORY | mode, &[])?;
        }
        Ok(archive)
    }

    /// Adds a file of the host, with its permissions.
    pub(crate) fn copy(&mut self, host: &Path, guest: &Path) -> Result<()> {
        let read =
            fs::metadata(host).and_then(|metadata| Ok((metadata.permissions().mode(), fs::read(host)?)));
        let (mode, content) = read.with_context(|| host.display().to_string())?;
        self.file(guest, mode & 0o7777, &content)
    }

    /// Adds a file of the host unless it is there already, for files that several tests need.
    pub(crate) fn copy_once(&mut self, host: &Path, guest: &Path) -> Result<()> {
        if self.paths.contains(guest) { Ok(()) } else { self.copy(host, guest) }
    }

    /// Adds a file and its parent directories.
    pub(crate) fn file(&mut self, path: &Path, permissions: u32, content: &[u8]) -> Result<()> {
        if path.file_name().is_none() || path.components().any(|part| part.as_os_str() == "..") {
            bail!("{}: not a path for a file in the guest", path.display());
        }
        let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|path| path.parent().is_some()).collect();
        above.reverse();
        for directory in above {
            if !self.paths.contains(directory) {
                self.entry(directory, DIRECTORY | 0o755, &[])?;
            }
        }
        self.entry(path, REGULAR | permissions, content)
    }

    /// Adds init and its job list.
    pub(crate) fn init(&mut self, jobs: &JobList) -> Result<()> {
        self.copy(&build::program("init")?, Path::new("/init"))?;
        self.file(Path::new(job::PATH), 0o644, &jobs.encode())
    }

    /// Returns the whole archive.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        Ok(newc::trailer(self.bytes)?)
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        if !self.paths.insert(path.to_owned()) {
            bail!("{}: twice in the initramfs", path.display());
        }
        let size =
            u32::try_from(content.len()).with_context(|| format!("{} is too large", path.display()))?;
        let Ok(name) = std::str::from_utf8(path.as_os_str().as_bytes()) else {
            bail!("{}: a path in the guest must be UTF-8", path.display());
        };
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        let builder =
            newc::Builder::new(name.trim_start_matches('/')).ino(self.next_inode).mode(mode).nlink(links);
        let mut writer = builder.write(&mut self.bytes, size);
        writer.write_all(content)?;
        writer.finish()?;
        self.next_inode += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    type Entry = (String, u32, Vec<u8>);

    fn entries(archive: Vec<u8>) -> Result<Vec<Entry>> {
        let mut rest = archive.as_slice();
        let mut entries = Vec::new();
        loop {
            let mut reader = newc::Reader::new(rest)?;
            if reader.entry().is_trailer() {
                return Ok(entries);
            }
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            entries.push((reader.entry().name().to_owned(), reader.entry().mode(), content));
            rest = reader.finish()?;
        }
    }

    #[test]
    fn a_directory_comes_before_its_file_and_only_once() -> Result<()> {
        let mut archive = Initramfs::new()?;
        archive.file(Path::new("/a/b/c"), 0o755, b"one")?;
        archive.file(Path::new("/a/b/d"), 0o600, b"")?;
        archive.file(Path::new("/bin/e"), 0o4755, b"12345")?;
        let seen = entries(archive.finish()?)?;
        let expected: [Entry; 5] = [
            ("a".into(), 0o040_755, vec![]),
            ("a/b".into(), 0o040_755, vec![]),
            ("a/b/c".into(), 0o100_755, b"one".into()),
            ("a/b/d".into(), 0o100_600, vec![]),
            ("bin/e".into(), 0o104_755, b"12345".into()),
        ];
        assert_eq!(seen[STANDARD.len()..], expected);
        assert_eq!(seen[STANDARD.len() - 1], ("tmp".into(), 0o041_777, vec![]));
        Ok(())
    }

    #[test]
    fn a_path_that_leaves_the_root_or_names_no_file_is_refused() -> Result<()> {
        let mut archive = Initramfs::new()?;
        for path in ["/", "/..", "/bin/../x/.."] {
            assert!(archive.file(Path::new(path), 0o644, b"").is_err(), "{path}");
        }
        Ok(())
    }

    #[test]
    fn a_second_file_of_the_same_name_is_refused() -> Result<()> {
        let mut archive = Initramfs::new()?;
        archive.file(Path::new("/bin/x"), 0o755, b"")?;
        assert!(archive.file(Path::new("/bin/x"), 0o755, b"").is_err());
        Ok(())
    }
}
