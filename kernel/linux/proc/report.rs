//! Texts of files in `/proc`.
//!
//! Source: proc(5); the formats of Linux 6.1 fs/proc/meminfo.c and arch/x86/kernel/cpu/proc.c. `pollee` exists only in
//! this kernel.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use pollee::Count;
use rules::linux::abi::utsname;

use super::trace::Line;
use crate::core::event::class::{self, Class};
use crate::linux::fs::mount;
use crate::linux::fs::path;
use crate::machine::memory::budget;
use crate::machine::trace;

/// The columns of `pollee`, in the order of [`Count`].
const COUNTS: [&str; Count::KINDS] =
    ["hits", "misses", "computes", "notify_unwatched", "notify_watched", "wakes", "spurious_wakes"];

/// Lists the event counters by class of object.
pub(super) fn pollee() -> Vec<u8> {
    let mut text = format!("{:<10}", "class");
    for name in COUNTS {
        line(&mut text, format_args!(" {name:>16}"));
    }
    text.push('\n');
    for class in Class::COUNTED {
        line(&mut text, format_args!("{:<10}", class.name()));
        for count in class::counts(class) {
            line(&mut text, format_args!(" {count:>16}"));
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// Reports total and available memory.
pub(super) fn meminfo() -> Vec<u8> {
    let (total, free) = (budget::total() >> 10, budget::available() >> 10);
    // There is no page cache that could be reclaimed: files have no other storage than memory.
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", 0),
        ("SReclaimable", 0),
    ];
    let mut text = String::new();
    for (name, kibibytes) in rows {
        line(&mut text, format_args!("{:<15} {kibibytes:>8} kB\n", format!("{name}:")));
    }
    text.into_bytes()
}

/// Describes each processor in a paragraph.
pub(super) fn cpuinfo() -> Vec<u8> {
    let mut text = String::new();
    let megahertz = ostd::arch::tsc_freq() / 1_000;
    for number in 0..ostd::cpu::num_cpus() {
        let (whole, rest) = (megahertz / 1_000, megahertz % 1_000);
        line(&mut text, format_args!("processor\t: {number}\ncpu MHz\t\t: {whole}.{rest:03}\n\n"));
    }
    text.into_bytes()
}

/// Returns the kernel's version.
pub(super) fn version() -> Vec<u8> {
    format!("{} version {} {}\n", utsname::SYSTEM, utsname::RELEASE, utsname::VERSION).into_bytes()
}

/// Returns the kernel's command line.
pub(super) fn cmdline() -> Vec<u8> {
    format!("{}\n", ostd::boot::boot_info().kernel_cmdline).into_bytes()
}

/// Lists the file system types of mount(2).
pub(super) fn filesystems() -> Vec<u8> {
    b"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tdevpts\nnodev\tramfs\n".to_vec()
}

/// Lists the mounts, including those that other mounts cover.
pub(super) fn mounts() -> Vec<u8> {
    let mut text = String::new();
    for mount in mount::all() {
        let place = match mount.covers() {
            None => b"/".to_vec(),
            Some(covers) => path::absolute(covers).unwrap_or_default(),
        };
        let (source, place) = (mount.source().escape_ascii(), place.escape_ascii());
        let file_system = mount.root().superblock().file_system().name();
        line(&mut text, format_args!("{source} {place} {file_system} rw 0 0\n"));
    }
    text.into_bytes()
}

/// Lists the mounts with their IDs and those of the mounts that they are on, and the part of the file system that shows.
pub(super) fn mountinfo() -> Vec<u8> {
    let mut text = String::new();
    for mount in mount::all() {
        let (place, parent) = match mount.covers() {
            None => (b"/".to_vec(), mount.number()),
            Some(covers) => (path::absolute(covers).unwrap_or_default(), covers.mount.number()),
        };
        let superblock = mount.root().superblock();
        let device = superblock.device();
        let (number, major, minor) = (mount.number(), device.major, device.minor);
        let (source, place) = (mount.source().escape_ascii(), place.escape_ascii());
        let file_system = superblock.file_system().name();
        let root = path::within(mount.root());
        let root = root.escape_ascii();
        line(
            &mut text,
            format_args!(
                "{number} {parent} {major}:{minor} {root} {place} rw,relatime - {file_system} {source} rw\n"
            ),
        );
    }
    text.into_bytes()
}

/// Lists the last trace events of all processors, one per line.
pub(super) fn trace() -> Vec<u8> {
    let mut text = String::new();
    for event in trace::all() {
        line(&mut text, format_args!("{}\n", Line(event)));
    }
    text.into_bytes()
}

/// Appends to a text; writing to a `String` cannot fail.
fn line(text: &mut String, arguments: core::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok());
}
