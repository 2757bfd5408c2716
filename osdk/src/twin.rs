//! The Linux twin: Debian's 6.1 cloud kernel, unpacked without being installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{debian, initramfs::Initramfs, project};

/// The package that always depends on the newest 6.1 kernel of Debian 12.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// The prefix of the name of that kernel's package.
const SERIES: &str = "linux-image-6.1.";

/// The card's drivers, in the order of their dependencies.
const MODULES: [&str; 8] = [
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "net/core/failover.ko",
    "drivers/net/net_failover.ko",
    "drivers/net/virtio_net.ko",
];

/// Returns the kernel file: `LINUX_KERNEL`, or Debian's, fetched at first use.
pub(crate) fn image() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("LINUX_KERNEL").filter(|path| !path.is_empty()).map(PathBuf::from) {
        if !path.is_file() {
            bail!("LINUX_KERNEL: {}: no such file", path.display());
        }
        return Ok(path);
    }
    let directory = project::products().join("linux");
    match unpacked(&directory) {
        Some(image) => Ok(image),
        None => fetch(&directory),
    }
}

/// Makes an archive with the modules for a virtio network card, which init loads in the order of their names. The
/// archive is empty for the user's own kernel, which must have the drivers built in.
pub(crate) fn modules() -> Result<Initramfs> {
    let mut archive = Initramfs::new()?;
    if std::env::var_os("LINUX_KERNEL").is_some_and(|path| !path.is_empty()) {
        return Ok(archive);
    }
    let directory = project::products().join("linux/lib/modules");
    let release = fs::read_dir(&directory)?.filter_map(Result::ok).map(|entry| entry.path()).max();
    let kernel = release.context("the package of Linux has no modules")?.join("kernel");
    for (number, name) in MODULES.iter().enumerate() {
        let file = name.rsplit('/').next().unwrap_or(name);
        archive.copy(&kernel.join(name), &Path::new("/modules").join(format!("{number}-{file}")))?;
    }
    Ok(archive)
}

fn unpacked(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory.join("boot")).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .max()
}

fn fetch(directory: &Path) -> Result<PathBuf> {
    const ADVICE: &str = "set LINUX_KERNEL to a bzImage of Linux 6.1 with a built-in 8250 serial driver";
    eprintln!("pollux: fetching Linux 6.1 from Debian's archive …");
    let depends = debian::run(Command::new("apt-cache").args(["depends", PACKAGE])).context(ADVICE)?;
    let package = dependency(&depends).with_context(|| format!("{PACKAGE} names no 6.1 kernel; {ADVICE}"))?;
    debian::unpack(&[&package], directory).context(ADVICE)?;
    unpacked(directory).with_context(|| format!("{package} holds no kernel; {ADVICE}"))
}

/// Finds the kernel package in the output of `apt-cache depends`.
fn dependency(depends: &str) -> Option<String> {
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.filter(|name| name.starts_with(SERIES)).max().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_package_is_found_among_the_dependencies() {
        let depends =
            "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Recommends: x\n";
        assert_eq!(dependency(depends).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(dependency("linux-image-cloud-amd64\n  Depends: linux-image-7.0.0-1-cloud-amd64\n"), None);
    }
}
