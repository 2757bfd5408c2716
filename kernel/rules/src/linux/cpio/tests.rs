//! Archives, whole and torn.

use alloc::vec::Vec;
use std::format;

use super::{Malformed, entries};

fn append(archive: &mut Vec<u8>, name: &str, mode: usize, data: &[u8]) {
    pad(archive);
    let fields = [7, mode, 1, 2, 1, 99, data.len(), 8, 1, 5, 64, name.len() + 1, 0];
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08X}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    pad(archive);
    archive.extend(data);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn sample() -> Vec<u8> {
    let mut archive = Vec::new();
    append(&mut archive, "etc", 0o040_755, b"");
    append(&mut archive, "etc/motd", 0o100_644, b"hello");
    append(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

#[test]
fn entries_come_in_order_with_all_their_fields() {
    let archive = sample();
    let found: Vec<_> = entries(&archive).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].name, b"etc");
    let motd = found[1];
    assert_eq!((motd.name, motd.data), (&b"etc/motd"[..], &b"hello"[..]));
    assert_eq!((motd.mode, motd.uid, motd.gid, motd.modified), (0o100_644, 1, 2, 99));
    assert_eq!((motd.special_device, motd.identity), ((5, 64), (0, 8, 1, 7)));
}

#[test]
fn a_second_archive_behind_zeros_is_read_as_well() {
    let mut archive = sample();
    archive.extend([0; 512]);
    append(&mut archive, "init", 0o100_755, b"x");
    let last = entries(&archive).last().unwrap().unwrap();
    assert_eq!((last.name, last.identity.0), (&b"init"[..], 1));
}

#[test]
fn the_empty_archive_has_no_entries() {
    assert_eq!(entries(b"").next(), None);
    assert_eq!(entries(&[0; 1024]).next(), None);
}

#[test]
fn every_cut_through_a_header_name_or_datum_is_reported_and_ends_the_walk() {
    let archive = sample();
    // The first entry ends at 114; zeros follow it up to 116. The second one ends at 241.
    for cut in (1..114).chain(117..241) {
        let mut walk = entries(&archive[..cut]);
        let error = walk.by_ref().find_map(Result::err);
        assert_eq!(error, Some(Malformed::Truncated), "cut at {cut}");
        assert_eq!(walk.next(), None);
    }
}

#[test]
fn lengths_larger_than_the_archive_are_truncation() {
    let mut archive = sample();
    archive[54..62].copy_from_slice(b"FFFFFFFF");
    assert_eq!(entries(&archive).next(), Some(Err(Malformed::Truncated)));
}

#[test]
fn damaged_magic_digits_and_names_are_named() {
    let damaged = |at: usize, byte: u8| {
        let mut archive = sample();
        archive[at] = byte;
        entries(&archive).next().unwrap().err()
    };
    assert_eq!(damaged(5, b'2'), Some(Malformed::Magic));
    assert_eq!(damaged(20, b'+'), Some(Malformed::Number));
    assert_eq!(damaged(113, b'x'), Some(Malformed::Name));
    assert_eq!(damaged(111, 0), Some(Malformed::Name));
    assert_eq!(entries(b"\x1f\x8b compressed").next(), Some(Err(Malformed::Truncated)));
}
