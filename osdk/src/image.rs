//! Disk images that a machine starts from by itself: `pollux image`, and the disks of `--boot`.
//!
//! `boot/image` makes them, of the stage, the kernel, an initramfs and a command line. It is a program of its
//! own because the loader inside it takes minutes to build, which only those wait for who want images.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    cli::{Firmware, ImageOptions},
    llvm, project,
    toolchain::{self, Output},
};

/// The firmware for UEFI, where distributions keep it.
const OVMF: [&str; 3] =
    ["/usr/share/ovmf/OVMF.fd", "/usr/share/edk2/x64/OVMF.4m.fd", "/usr/share/edk2/ovmf/OVMF_CODE.fd"];

/// `pollux image`: the tour, for both kinds of firmware.
pub(crate) fn command(options: &ImageOptions) -> Result<ExitCode> {
    for path in tour(options)? {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the images of the tour, for BIOS and for UEFI.
pub(crate) fn tour(options: &ImageOptions) -> Result<[PathBuf; 2]> {
    let kernel = build::kernel(options.policy, Output::OnFailure)?;
    let initramfs = build::initramfs()?;
    let words = [&["init=/init".to_owned()], &options.append[..]].concat();
    let paths = [Firmware::Bios, Firmware::Uefi].map(path);
    let [bios, uefi] = &paths;
    make(&kernel, &initramfs, &words.join(" "), &[(Firmware::Bios, bios), (Firmware::Uefi, uefi)])?;
    Ok(paths)
}

/// Where `pollux image` puts an image.
pub(crate) fn path(firmware: Firmware) -> PathBuf {
    project::target().join(format!("pollux-{}.img", name(firmware)))
}

/// A disk for one start: its bytes.
pub(crate) fn disk(
    firmware: Firmware,
    kernel: &Path,
    initramfs: &[u8],
    command_line: &str,
) -> Result<Vec<u8>> {
    let draft = project::products().join(format!("boot-{}", std::process::id()));
    fs::create_dir_all(&draft)?;
    let (archive, image) = (draft.join("initramfs"), draft.join("disk"));
    fs::write(&archive, initramfs)?;
    let made = make(kernel, &archive, command_line, &[(firmware, &image)]);
    let bytes = made.and_then(|()| fs::read(&image).context("cannot read the disk image"));
    fs::remove_dir_all(&draft)?;
    bytes
}

/// The file with the UEFI firmware; where none is there, the name of the first, about which QEMU complains.
pub(crate) fn ovmf() -> &'static str {
    OVMF.into_iter().find(|path| Path::new(path).is_file()).unwrap_or(OVMF[0])
}

/// How many bytes of programs fit onto a disk beside kernel and loader, if not any number does: the loader for BIOS reads
/// disks of less than 32 MiB only.
pub(crate) fn room(firmware: Firmware) -> Option<u64> {
    const BIOS: u64 = 20 << 20;
    (firmware == Firmware::Bios).then_some(BIOS)
}

/// Runs the image builder.
pub(crate) fn make(
    kernel: &Path,
    initramfs: &Path,
    command_line: &str,
    images: &[(Firmware, &Path)],
) -> Result<()> {
    let mut builder = Command::new(builder()?);
    builder.arg("--stage").arg(stage()?).arg("--kernel").arg(kernel).arg("--initramfs").arg(initramfs);
    builder.arg(format!("--command-line={command_line}"));
    for (firmware, path) in images {
        builder.arg(format!("--{}", name(*firmware))).arg(path);
    }
    let status = builder.status().context("cannot run the image builder")?;
    if !status.success() {
        bail!("cannot make a disk image ({status})");
    }
    Ok(())
}

/// Builds the stage, the program that the loader takes for the kernel.
fn stage() -> Result<PathBuf> {
    let mut build = toolchain::cargo("", "build");
    build.args(STAGE).arg("--package=pollux-stage");
    build::only(toolchain::executables(build, "the boot stage", Output::OnFailure)?)
}

/// How the stage is built: for bare metal as the kernel, and small.
pub(crate) const STAGE: [&str; 4] = [
    "--profile=stage",
    "--target=x86_64-unknown-none",
    "-Zbuild-std=core,alloc,compiler_builtins",
    "-Zbuild-std-features=compiler-builtins-mem",
];

/// Builds the image builder, with the loader inside.
fn builder() -> Result<PathBuf> {
    let mut build = toolchain::cargo("", "build");
    build.arg("--package=pollux-image");
    // In a directory of its own, because it may see another PATH.
    build.arg("--target-dir").arg(project::target().join("boot"));
    llvm::provide(&mut build)?;
    build::only(toolchain::executables(build, "the loader, which takes minutes once", Output::OnFailure)?)
}

fn name(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "uefi",
    }
}
