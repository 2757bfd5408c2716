//! Unpacking archives.

use alloc::format;
use alloc::vec::Vec;

use ostd::prelude::ktest;
use rules::abi::mode::{FileType, Permissions};

use super::contents;
use crate::linux::fs::boot;
use crate::linux::fs::initramfs;
use crate::linux::fs::path::{self, LastLink};

fn archive(entries: &[(&str, u32, u32, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (inode, (name, mode, links, data)) in entries.iter().enumerate() {
        let inode = if *links > 1 { 1000 } else { inode };
        let (size, name_size) = (data.len(), name.len() + 1);
        let header = format!(
            "070701{inode:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
            3, 4, 77, 0, 0, 1, 3, 0
        );
        archive.extend(header.bytes());
        archive.extend(name.bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(*data);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

#[ktest]
fn an_archive_becomes_files_of_every_kind() {
    let packed = archive(&[
        (".", 0o040_755, 2, b""),
        ("arch", 0o040_750, 1, b""),
        ("arch/f", 0o100_640, 1, b"data"),
        ("arch/l", 0o120_777, 1, b"f"),
        ("arch/null", 0o020_666, 1, b""),
        ("arch/h1", 0o100_644, 2, b""),
        ("arch/h2", 0o100_644, 2, b"shared"),
        ("./arch/f", 0o100_600, 1, b"later"),
        ("missing/f", 0o100_600, 1, b"lost"),
    ]);
    assert_eq!(initramfs::unpack(&packed).unwrap(), 8);
    let root = boot::origin();
    assert_eq!(contents(&root, "arch/l"), b"later");
    assert_eq!(contents(&root, "arch/h1"), b"shared");
    let stat = |path: &[u8]| path::lookup(&root, path, LastLink::Keep).unwrap().inode;
    assert_eq!(stat(b"arch/null").file_type(), FileType::CharacterDevice);
    assert_eq!(stat(b"arch/h1").attributes().links, 2);
    let attributes = stat(b"arch/f").attributes();
    assert_eq!((attributes.uid, attributes.gid, attributes.modified.seconds), (3, 4, 77));
    assert_eq!(attributes.permissions, Permissions::from_mode(0o600));
    assert_eq!(stat(b"arch").attributes().permissions, Permissions::from_mode(0o750));
}

#[ktest]
fn a_damaged_archive_is_an_error_and_no_panic() {
    let whole = archive(&[("cut", 0o040_755, 1, b""), ("cut/f", 0o100_644, 1, b"0123456789")]);
    for length in 0..whole.len() {
        let _ = initramfs::unpack(&whole[..length]);
    }
    assert!(initramfs::unpack(&whole[..whole.len() - 4]).is_err());
    assert!(initramfs::unpack(b"\x1f\x8b gzip").is_err());
    let odd = archive(&[("odd", 0o150_000, 1, b"")]);
    assert!(initramfs::unpack(&odd).is_err());
    let nul = archive(&[("a\0b", 0o100_644, 1, b"")]);
    assert!(initramfs::unpack(&nul).is_err());
}
