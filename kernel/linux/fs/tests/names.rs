//! Creating, removing and renaming names, and the permissions for it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::credentials::Credentials;

use super::{O_CREAT, O_RDWR, contents, find, make_directory, put, scratch, try_open};
use crate::linux::fs::boot;
use crate::linux::fs::mount;
use crate::linux::fs::namei::{self, NewFile, PathAt};
use crate::linux::fs::path::{self, LastLink, Origin};
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::tmpfs::rename::ExistingName;
use crate::linux::fs::tmpfs::superblock::{FileSystemType, SizeLimits, Superblock};

#[ktest]
fn only_those_with_permission_search_and_write() {
    let at = scratch("permission");
    make_directory(&at, "closed");
    put(&at, "closed/f", b"");
    let closed = path::lookup(&at, b"closed", LastLink::Follow).unwrap();
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o711));
    let other = Origin { credentials: Credentials::of(5, 5), ..at.clone() };
    assert_eq!(try_open(&other, "closed/f", 0).err(), None);
    assert_eq!(try_open(&other, "closed/f", O_RDWR).err(), Some(Errno::EACCES));
    assert_eq!(namei::unlink(&other, b"closed/f"), Err(Errno::EACCES));
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o1777));
    assert_eq!(namei::unlink(&other, b"closed/f"), Err(Errno::EPERM));
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o700));
    assert_eq!(find(&other, "closed/f"), Err(Errno::EACCES));
    assert_eq!(namei::unlink(&at, b"closed/f"), Ok(()));
}

#[ktest]
fn removing_and_linking_refuse_what_they_must() {
    let at = scratch("refuse");
    make_directory(&at, "d");
    make_directory(&at, "d/e");
    put(&at, "f", b"");
    assert_eq!(namei::unlink(&at, b"d"), Err(Errno::EISDIR));
    assert_eq!(namei::unlink(&at, b"f/"), Err(Errno::ENOTDIR));
    assert_eq!(namei::remove_directory(&at, b"d"), Err(Errno::ENOTEMPTY));
    assert_eq!(namei::remove_directory(&at, b"f"), Err(Errno::ENOTDIR));
    assert_eq!(namei::remove_directory(&at, b"d/."), Err(Errno::EINVAL));
    assert_eq!(namei::remove_directory(&at, b"d/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(namei::remove_directory(&at, b"/"), Err(Errno::EBUSY));
    let f = path::lookup(&at, b"f", LastLink::Keep).unwrap();
    let d = path::lookup(&at, b"d", LastLink::Keep).unwrap();
    assert_eq!(namei::link(&at, &f, b"d"), Err(Errno::EEXIST));
    assert_eq!(namei::link(&at, &d, b"d2"), Err(Errno::EPERM));
    assert_eq!(namei::link(&at, &f, b"f2"), Ok(()));
    assert_eq!(f.inode.attributes().links, 2);
    assert_eq!(d.inode.attributes().links, 3);
    assert_eq!(namei::remove_directory(&at, b"d/e"), Ok(()));
    assert_eq!(d.inode.attributes().links, 2);
    // A removed directory takes no new names, even if it is a working directory.
    assert_eq!(namei::remove_directory(&at, b"d"), Ok(()));
    let inside = Origin { start: d, ..at };
    assert_eq!(try_open(&inside, "x", O_CREAT).err(), Some(Errno::ENOENT));
    assert_eq!(path::absolute(&inside.start), Err(Errno::ENOENT));
}

#[ktest]
fn rename_replaces_exchanges_and_keeps_the_tree_a_tree() {
    let at = scratch("renaming");
    for directory in ["a", "a/b", "c", "c/full"] {
        make_directory(&at, directory);
    }
    put(&at, "f", b"f");
    put(&at, "g", b"g");
    let place = |path: &'static str| PathAt { origin: &at, path: path.as_bytes() };
    let rename = |from, to, taken| namei::rename(place(from), place(to), taken);
    assert_eq!(rename("f", "g", ExistingName::Refuse), Err(Errno::EEXIST));
    assert_eq!(rename("f", "g", ExistingName::Exchange), Ok(()));
    assert_eq!(contents(&at, "f"), b"g");
    assert_eq!(rename("f", "g", ExistingName::Replace), Ok(()));
    assert_eq!((contents(&at, "g"), find(&at, "f")), (b"g".to_vec(), Err(Errno::ENOENT)));
    assert_eq!(rename("a", "a/b/x", ExistingName::Replace), Err(Errno::EINVAL));
    assert_eq!(rename("a", "a/b", ExistingName::Replace), Err(Errno::EINVAL));
    assert_eq!(rename("a/b", "a", ExistingName::Replace), Err(Errno::ENOTEMPTY));
    assert_eq!(rename("a", "c", ExistingName::Replace), Err(Errno::ENOTEMPTY));
    assert_eq!(rename("a", "g", ExistingName::Replace), Err(Errno::ENOTDIR));
    assert_eq!(rename("g", "a", ExistingName::Replace), Err(Errno::EISDIR));
    assert_eq!(rename("g", "x/", ExistingName::Replace), Err(Errno::ENOTDIR));
    assert_eq!(rename("a/..", "x", ExistingName::Replace), Err(Errno::EBUSY));
    assert_eq!(rename("nothing", "x", ExistingName::Exchange), Err(Errno::ENOENT));
    let links =
        |path: &str| path::lookup(&at, path.as_bytes(), LastLink::Follow).unwrap().inode.attributes().links;
    assert_eq!((links("a"), links("c"), links(".")), (3, 3, 4));
    assert_eq!(rename("a/b", "c/full", ExistingName::Replace), Ok(()));
    assert_eq!((links("a"), links("c")), (2, 3));
    assert_eq!(find(&at, "c/full/../../a").as_deref(), Ok("/a"));
    assert_eq!(rename("g", "g", ExistingName::Replace), Ok(()));
    assert_eq!(rename("c", "a", ExistingName::Exchange), Ok(()));
    assert_eq!(find(&at, "a/full").as_deref(), Ok("/a/full"));
}

#[ktest]
fn a_directory_is_read_on_where_it_was_left_whatever_changed() {
    let at = scratch("reading");
    for i in 0..6 {
        put(&at, &format!("f{i}"), b"");
    }
    let directory = at.start.inode.directory().unwrap();
    let mut next = 0;
    let mut seen = Vec::new();
    let mut take = |count: usize| {
        let mut left = count;
        directory.visit(next, |entry, after| {
            if left == 0 {
                return false;
            }
            left -= 1;
            seen.push(String::from_utf8(entry.name.to_vec()).unwrap());
            next = after;
            true
        });
    };
    take(2);
    namei::unlink(&at, b"f1").unwrap();
    namei::unlink(&at, b"f3").unwrap();
    put(&at, "new", b"");
    take(9);
    assert_eq!(seen, ["f0", "f1", "f2", "f4", "f5", "new"]);
}

#[ktest]
fn a_tree_of_any_depth_is_dropped_without_the_stack() {
    let superblock = Superblock::new(FileSystemType::Tmpfs, SizeLimits::default());
    let root = Inode::new_root(&superblock, Permissions::from_mode(0o755)).unwrap();
    let before = superblock.inodes.free();
    let mut at = Origin { start: mount::root().sibling(root.clone()), ..boot::origin() };
    for _ in 0..20_000 {
        let made = namei::make(&at, b"d", NewFile::Directory, Permissions::from_mode(0o755));
        at.start = made.unwrap();
    }
    drop(at);
    assert_eq!(superblock.inodes.free(), before - 20_000);
    drop(root);
    assert_eq!(superblock.inodes.free(), before + 1);
}
