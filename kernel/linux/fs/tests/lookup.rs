//! Path lookup.

use alloc::format;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;

use super::{contents, find, make_directory, make_link, put, scratch};
use crate::linux::fs::mount;
use crate::linux::fs::path::{self, LastLink, Origin};

#[ktest]
fn dot_dot_and_dot_lead_back_and_nowhere() {
    let at = scratch("dots");
    make_directory(&at, "a");
    make_directory(&at, "a/b/");
    assert_eq!(find(&at, "a/./b/../b").as_deref(), Ok("/a/b"));
    let b = path::lookup(&at, b"a/b", LastLink::Follow).unwrap();
    let below = Origin { start: b, ..at.clone() };
    let up = path::lookup(&below, b"../..", LastLink::Follow).unwrap();
    assert!(up.is(&at.start));
    let top = path::lookup(&below, b"/../../..", LastLink::Follow).unwrap();
    assert!(top.is(mount::root()));
}

#[ktest]
fn missing_names_files_as_directories_and_long_names_are_told_apart() {
    let at = scratch("missing");
    put(&at, "file", b"x");
    let long = "n".repeat(256);
    assert_eq!(find(&at, "nothing"), Err(Errno::ENOENT));
    assert_eq!(find(&at, ""), Err(Errno::ENOENT));
    assert_eq!(find(&at, "nothing/below"), Err(Errno::ENOENT));
    assert_eq!(find(&at, "file/below"), Err(Errno::ENOTDIR));
    assert_eq!(find(&at, "file/"), Err(Errno::ENOTDIR));
    assert_eq!(find(&at, "file/."), Err(Errno::ENOTDIR));
    assert_eq!(find(&at, &long), Err(Errno::ENAMETOOLONG));
    make_directory(&at, &long[1..]);
}

#[ktest]
fn forty_symbolic_links_are_followed_and_not_one_more() {
    let at = scratch("links");
    put(&at, "l0", b"end");
    for i in 1..=41 {
        make_link(&at, &format!("l{}", i - 1), &format!("l{i}"));
    }
    assert_eq!(contents(&at, "l40"), b"end");
    assert_eq!(find(&at, "l41"), Err(Errno::ELOOP));
    make_link(&at, "self", "self");
    assert_eq!(find(&at, "self"), Err(Errno::ELOOP));
    assert_eq!(find(&at, "self/x"), Err(Errno::ELOOP));
}

#[ktest]
fn a_link_in_the_middle_or_before_a_slash_is_always_followed() {
    let at = scratch("middle");
    make_directory(&at, "d");
    put(&at, "d/f", b"1");
    make_link(&at, "d", "to-d");
    make_link(&at, "to-d/f", "to-f");
    make_link(&at, "/middle/d/", "absolute");
    assert_eq!(find(&at, "to-d/").as_deref(), Ok("/d"));
    assert_eq!(contents(&at, "to-f"), b"1");
    assert_eq!(contents(&at, "absolute/f"), b"1");
    let kept = |path: &[u8]| path::lookup(&at, path, LastLink::Keep).map(|found| found.inode.file_type());
    assert_eq!(kept(b"to-d"), Ok(FileType::Symlink));
    assert_eq!(kept(b"to-d/"), Ok(FileType::Directory));
    assert_eq!(kept(b"to-f/"), Err(Errno::ENOTDIR));
}
