//! Makes bootable disk images: for `pollux image`, and for `--boot`.
//!
//! `boot/image` packs them from the stage, the kernel, an initramfs and a command line. It is a separate program
//! because it contains the loader, whose build takes minutes that only users of images should wait for.

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

/// The UEFI firmware, at the paths that distributions use.
const OVMF: [&str; 3] =
    ["/usr/share/ovmf/OVMF.fd", "/usr/share/edk2/x64/OVMF.4m.fd", "/usr/share/edk2/ovmf/OVMF_CODE.fd"];

/// `pollux image`: makes images with the tour, for both kinds of firmware.
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

/// Returns the path of an image of `pollux image`.
pub(crate) fn path(firmware: Firmware) -> PathBuf {
    project::target().join(format!("pollux-{}.img", name(firmware)))
}

/// Makes the bytes of a disk for one start.
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

/// Returns the file with the UEFI firmware. If there is none, returns the first name, for QEMU to complain about.
pub(crate) fn ovmf() -> &'static str {
    OVMF.into_iter().find(|path| Path::new(path).is_file()).unwrap_or(OVMF[0])
}

/// Returns how many bytes of programs fit onto a disk beside kernel and loader; `None` if any number does. The loader
/// for BIOS reads only disks of less than 32 MiB.
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

/// Builds the stage, the program that the loader takes for a kernel.
fn stage() -> Result<PathBuf> {
    let mut build = toolchain::cargo("", "build");
    build.args(STAGE).arg("--package=pollux-stage");
    build::only(toolchain::executables(build, "the boot stage", Output::OnFailure)?)
}

/// Cargo's arguments for the stage: bare metal like the kernel, and a small profile.
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
    // The build has its own directory, because it may have another PATH.
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
