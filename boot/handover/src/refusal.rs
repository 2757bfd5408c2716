//! The reasons why a machine or an image cannot start, as messages for the person in front of it.

use core::fmt;

/// A reason to stop before the kernel is entered. The stage has changed nothing by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The loader found no file beside the stage.
    NoBundle,
    /// The image builder did not write that file.
    ForeignBundle,
    /// That file ends too early.
    TruncatedBundle {
        /// The length that its header says, in bytes.
        expected: u64,
        /// Its actual length.
        found: u64,
    },
    /// The image was built without an initramfs.
    NoInitramfs,
    /// The command line is not UTF-8.
    CommandLine,
    /// The kernel is no ELF file for a 64-bit machine.
    ForeignKernel,
    /// A segment of the kernel lies outside its file.
    TruncatedKernel,
    /// The kernel has no code where the Linux protocol enters it.
    NoEntry,
    /// The loader offers no view of physical memory.
    NoPhysicalMemory,
    /// There is no memory at an address that the kernel needs.
    TooLittleMemory {
        /// The first missing address.
        missing: u64,
    },
    /// The loader uses memory that the kernel needs.
    LoaderInTheWay {
        /// The first address in use.
        at: u64,
    },
    /// No room for this many bytes below 4 GiB.
    NoRoom {
        /// The size of the part that finds no place.
        bytes: u64,
    },
    /// The memory map has more entries than the protocol allows.
    CrowdedMemoryMap,
    /// The CPU lacks a feature that OSTD needs.
    OldCpu {
        /// The first missing feature.
        missing: &'static str,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        match self {
            Self::NoBundle => f.write_str("the disk image holds no kernel: its file \"ramdisk\" is missing"),
            Self::ForeignBundle => f.write_str("the file \"ramdisk\" on the disk is not Pollux's"),
            Self::TruncatedBundle { expected, found } => {
                write!(f, "the disk image is truncated: {found} of {expected} bytes are there")
            }
            Self::NoInitramfs => f.write_str("the disk image holds no initramfs"),
            Self::CommandLine => f.write_str("the kernel command line is not UTF-8"),
            Self::ForeignKernel => f.write_str("the kernel is not a 64-bit ELF file"),
            Self::TruncatedKernel => f.write_str("the kernel is truncated: a segment lies outside its file"),
            Self::NoEntry => f.write_str("the kernel has no entry point of the 64-bit Linux boot protocol"),
            Self::NoPhysicalMemory => f.write_str("the loader did not map the physical memory"),
            Self::TooLittleMemory { missing } => {
                write!(f, "too little memory: the kernel needs it at {} MiB, {missing:#x}", missing / MIB)
            }
            Self::LoaderInTheWay { at } => {
                write!(f, "the loader occupies {at:#x}, where the kernel goes; is the initramfs too large?")
            }
            Self::NoRoom { bytes } => {
                write!(f, "too little memory: no room for {} KiB below 4 GiB", bytes.div_ceil(1024))
            }
            Self::CrowdedMemoryMap => f.write_str("the memory map has too many entries"),
            Self::OldCpu { missing } => write!(f, "this CPU lacks {missing}, which the kernel needs"),
        }
    }
}

impl core::error::Error for Refusal {}
