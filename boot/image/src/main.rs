//! The image builder: makes disk images from the stage, a kernel, an initramfs and a command line.
//!
//! `osdk/pollux image` builds the parts and runs it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use bootloader::{BootConfig, DiskImageBuilder};
use bootloader_boot_config::LevelFilter;
use clap::Parser;
use handover::{bundle::Bundle, kernel};
use tempfile::NamedTempFile;

/// Make bootable disk images for a PC.
#[derive(Parser)]
#[command(name = "pollux-image")]
struct Options {
    /// The boot stage, an ELF file
    #[arg(long)]
    stage: PathBuf,
    /// The kernel, an ELF file
    #[arg(long)]
    kernel: PathBuf,
    /// The initial file system
    #[arg(long)]
    initramfs: PathBuf,
    /// The kernel's command line
    #[arg(long, default_value = "")]
    command_line: String,
    /// Write an image for a BIOS to this file
    #[arg(long)]
    bios: Option<PathBuf>,
    /// Write an image for UEFI to this file
    #[arg(long)]
    uefi: Option<PathBuf>,
}

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pollux: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make() -> Result<()> {
    let options = Options::parse();
    let bundle = bundle(&options)?;
    let mut builder = DiskImageBuilder::new(options.stage.clone());
    builder.set_ramdisk(bundle.path().to_owned()).set_boot_config(&loader());
    if let Some(path) = &options.bios {
        builder.create_bios_image(path).with_context(|| path.display().to_string())?;
        check_bios_image(path)?;
    }
    if let Some(path) = &options.uefi {
        builder.create_uefi_image(path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Refuses a disk that the loader for BIOS cannot read: if a FAT16 file system has more sectors than fit into
/// 16 bits, the loader takes it for FAT32 and fails with an overflow.
///
/// Source: bootloader-x86_64-bios-stage-2 0.11.15, src/fat.rs.
fn check_bios_image(path: &Path) -> Result<()> {
    const SECTOR: u64 = 512;
    const MIB: u64 = 1 << 20;
    // The loader comes before the file system, and is small.
    let length = fs::metadata(path)?.len();
    if length > u64::from(u16::MAX) * SECTOR {
        fs::remove_file(path)?;
        let mebibytes = length.div_ceil(MIB);
        bail!("a disk of {mebibytes} MiB is too large for the loader for BIOS, which reads less than 32 MiB");
    }
    Ok(())
}

/// Packs the bundle for the stage. The stage checks it again, because disks go bad.
fn bundle(options: &Options) -> Result<NamedTempFile> {
    let mut file = read(&options.kernel)?;
    let kernel = kernel::strip(&mut file).with_context(|| options.kernel.display().to_string())?;
    let initramfs = read(&options.initramfs)?;
    let bundle = Bundle { command_line: &options.command_line, kernel, initramfs: &initramfs };
    let (header, parts) = bundle.pieces();
    let mut file = NamedTempFile::new().context("cannot make a temporary file")?;
    for piece in [&header[..]].iter().chain(&parts) {
        file.write_all(piece).context("cannot write a temporary file")?;
    }
    Ok(file)
}

/// Configures the loader to print errors only.
fn loader() -> BootConfig {
    let mut config = BootConfig::default();
    config.log_level = LevelFilter::Warn;
    config
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
