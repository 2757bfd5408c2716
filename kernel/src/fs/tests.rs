//! The tree under paths, names, opens and archives, where only the kernel can tell.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::Poll;

use model::abi::errno::Errno;
use model::abi::mode::{FileType, Permissions};
use model::access::Credentials;
use ostd::mm::{Infallible, VmReader, VmWriter};
use ostd::prelude::ktest;

use super::boot;
use super::initramfs;
use super::mount::{self, Busy, Location};
use super::name::{self, NewFile};
use super::open::{self, How};
use super::opened;
use super::path::{self, LastLink, Origin};
use super::tmpfs::inode::Inode;
use super::tmpfs::rename::Taken;
use super::tmpfs::superblock::{FileSystemType, Superblock};
use crate::file::file::File;
use crate::memory::transfer::{Sink, Source};

const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;
const O_TRUNC: u32 = 0o1000;
const O_DIRECTORY: u32 = 0o200_000;
const O_NOFOLLOW: u32 = 0o400_000;
const O_TMPFILE: u32 = 0o20_200_000;
const O_RDWR: u32 = 2;

/// A fresh directory for one test.
fn scratch(test: &str) -> Origin {
    let root = boot::origin();
    let made = name::make(&root, test.as_bytes(), NewFile::Directory, Permissions::from_mode(0o755));
    Origin { start: made.unwrap(), ..root }
}

fn make_directory(at: &Origin, path: &str) {
    name::make(at, path.as_bytes(), NewFile::Directory, Permissions::from_mode(0o777)).unwrap();
}

fn make_link(at: &Origin, target: &str, path: &str) {
    let link = NewFile::Symlink(target.as_bytes().into());
    name::make(at, path.as_bytes(), link, Permissions::empty()).unwrap();
}

/// The plain path of the directory that `path` leads to; only that it is there for other files.
fn find(at: &Origin, path: &str) -> Result<String, Errno> {
    let found = path::lookup(at, path.as_bytes(), LastLink::Follow)?;
    if !found.inode.is_directory() {
        return Ok(String::from("a file"));
    }
    let parent = path::absolute(&at.start).unwrap();
    let whole = path::absolute(&found)?;
    Ok(String::from_utf8(whole[parent.len()..].to_vec()).unwrap())
}

fn try_open(at: &Origin, path: &str, flags: u32) -> Result<alloc::sync::Arc<opened::OpenInode>, Errno> {
    open::open(at, path.as_bytes(), How::parse(flags, 0o644)?)
}

fn put(at: &Origin, path: &str, bytes: &[u8]) {
    let file = try_open(at, path, O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(0, &mut Bytes(bytes)), Poll::Ready(Ok(bytes.len())));
}

fn contents(at: &Origin, path: &str) -> Vec<u8> {
    let found = path::lookup(at, path.as_bytes(), LastLink::Follow).unwrap();
    opened::read_whole(&found, 1 << 20).unwrap()
}

struct Bytes<'a>(&'a [u8]);

impl model::transfer::Source for Bytes<'_> {
    fn remaining(&self) -> usize {
        self.0.len()
    }
    fn take(&mut self, space: &mut [u8]) -> usize {
        model::transfer::Source::take(&mut self.0, space)
    }
}

impl Source for Bytes<'_> {
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize {
        let taken = space.write(&mut VmReader::from(self.0));
        self.0 = &self.0[taken..];
        taken
    }
}

struct Room(Vec<u8>, usize);

impl model::transfer::Sink for Room {
    fn remaining(&self) -> usize {
        self.1 - self.0.len()
    }
    fn put(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.1 - self.0.len());
        self.0.extend_from_slice(&bytes[..n]);
        n
    }
}

impl Sink for Room {
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        let n = from.remain().min(self.1 - self.0.len());
        let start = self.0.len();
        self.0.resize(start + n, 0);
        from.limit(n);
        VmWriter::from(&mut self.0[start..]).write(from)
    }
}

fn read(file: &dyn File, offset: u64, room: usize) -> Vec<u8> {
    let mut sink = Room(Vec::new(), room);
    assert!(matches!(file.read_at(offset, &mut sink), Poll::Ready(Ok(_))));
    sink.0
}

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

#[ktest]
fn only_those_with_permission_search_and_write() {
    let at = scratch("permission");
    make_directory(&at, "closed");
    put(&at, "closed/f", b"");
    let closed = path::lookup(&at, b"closed", LastLink::Follow).unwrap();
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o711));
    let other = Origin { credentials: Credentials { uid: 5, gid: 5 }, ..at.clone() };
    assert_eq!(try_open(&other, "closed/f", 0).err(), None);
    assert_eq!(try_open(&other, "closed/f", O_RDWR).err(), Some(Errno::EACCES));
    assert_eq!(name::unlink(&other, b"closed/f"), Err(Errno::EACCES));
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o1777));
    assert_eq!(name::unlink(&other, b"closed/f"), Err(Errno::EPERM));
    closed.inode.with_attributes(|attributes| attributes.permissions = Permissions::from_mode(0o700));
    assert_eq!(find(&other, "closed/f"), Err(Errno::EACCES));
    assert_eq!(name::unlink(&at, b"closed/f"), Ok(()));
}

#[ktest]
fn open_makes_refuses_and_truncates_as_its_flags_say() {
    let at = scratch("opening");
    make_directory(&at, "d");
    put(&at, "f", b"hello");
    make_link(&at, "made-through", "link");
    let error = |path: &str, flags: u32| try_open(&at, path, flags).err();
    assert_eq!(error("f", O_CREAT | O_EXCL), Some(Errno::EEXIST));
    assert_eq!(error("link", O_CREAT | O_EXCL), Some(Errno::EEXIST));
    assert_eq!(error("new/", O_CREAT), Some(Errno::EISDIR));
    assert_eq!(error("d", O_RDWR), Some(Errno::EISDIR));
    assert_eq!(error("d", O_CREAT), Some(Errno::EISDIR));
    assert_eq!(error("f", O_DIRECTORY), Some(Errno::ENOTDIR));
    assert_eq!(error("link", O_NOFOLLOW), Some(Errno::ELOOP));
    assert_eq!(error("link", 0), Some(Errno::ENOENT));
    assert_eq!(error("link", O_CREAT), None);
    assert_eq!(find(&at, "made-through").as_deref(), Ok("a file"));
    assert_eq!(error("f", O_RDWR | O_TRUNC), None);
    assert_eq!(contents(&at, "f"), b"");
    assert_eq!(error("d", O_TMPFILE), Some(Errno::EINVAL));
    assert_eq!(error("d", O_TMPFILE | O_RDWR), None);
}

#[ktest]
fn holes_read_as_zeros_and_a_cut_forgets_what_was_behind() {
    let at = scratch("sparse");
    let file = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(10_000, &mut Bytes(b"tail")), Poll::Ready(Ok(4)));
    assert_eq!(file.location().inode.pages(), 1);
    let mut expected = alloc::vec![0; 10_000];
    expected.extend(b"tail");
    assert_eq!(read(&*file, 0, 20_000), expected);
    assert_eq!(read(&*file, 10_004, 8), b"");
    let superblock = file.location().inode.superblock();
    let regular = file.regular().unwrap();
    regular.truncate(superblock, 10_002).unwrap();
    regular.truncate(superblock, 10_004).unwrap();
    assert_eq!(read(&*file, 10_000, 8), b"ta\0\0");
    regular.truncate(superblock, 0).unwrap();
    assert_eq!(file.location().inode.pages(), 0);
    let far = u64::try_from(i64::MAX).unwrap();
    assert_eq!(file.write_at(far, &mut Bytes(b"x")), Poll::Ready(Err(Errno::EFBIG)));
    assert_eq!(file.append(&mut Bytes(b"one")), Ok((0, 3)));
    assert_eq!(file.append(&mut Bytes(b"two")), Ok((3, 3)));
    assert_eq!(read(&*file, 0, 5), b"onetw");
}

#[ktest]
fn a_punched_hole_reads_as_zeros_and_gives_its_pages_back() {
    let at = scratch("punch");
    let file = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    let bytes = alloc::vec![7; 3 * 4096];
    assert_eq!(file.write_at(0, &mut Bytes(&bytes)), Poll::Ready(Ok(bytes.len())));
    let superblock = file.location().inode.superblock();
    file.regular().unwrap().punch_hole(superblock, 4000, 4096 + 196);
    assert_eq!(file.location().inode.pages(), 2);
    let after = read(&*file, 0, bytes.len());
    let zeros = after.iter().filter(|&&byte| byte == 0).count();
    assert_eq!((after.len(), zeros), (bytes.len(), 4096 + 196));
    assert_eq!((after[3999], after[4000], after[8291], after[8292]), (7, 0, 0, 7));
}

#[ktest]
fn an_unlinked_file_lives_until_it_is_closed_and_gives_its_room_back() {
    let at = scratch("unlinked");
    let superblock = at.start.inode.superblock().clone();
    let before = (superblock.pages.free(), superblock.inodes.free());
    let file = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(0, &mut Bytes(b"still")), Poll::Ready(Ok(5)));
    assert_eq!(name::unlink(&at, b"f"), Ok(()));
    assert_eq!(find(&at, "f"), Err(Errno::ENOENT));
    assert_eq!(read(&*file, 0, 9), b"still");
    assert_eq!(file.location().inode.attributes().links, 0);
    assert_eq!(name::link(&at, file.location(), b"again"), Err(Errno::ENOENT));
    assert_ne!((superblock.pages.free(), superblock.inodes.free()), before);
    drop(file);
    assert_eq!((superblock.pages.free(), superblock.inodes.free()), before);
}

#[ktest]
fn removing_and_linking_refuse_what_they_must() {
    let at = scratch("refuse");
    make_directory(&at, "d");
    make_directory(&at, "d/e");
    put(&at, "f", b"");
    assert_eq!(name::unlink(&at, b"d"), Err(Errno::EISDIR));
    assert_eq!(name::unlink(&at, b"f/"), Err(Errno::ENOTDIR));
    assert_eq!(name::remove_directory(&at, b"d"), Err(Errno::ENOTEMPTY));
    assert_eq!(name::remove_directory(&at, b"f"), Err(Errno::ENOTDIR));
    assert_eq!(name::remove_directory(&at, b"d/."), Err(Errno::EINVAL));
    assert_eq!(name::remove_directory(&at, b"d/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(name::remove_directory(&at, b"/"), Err(Errno::EBUSY));
    let f = path::lookup(&at, b"f", LastLink::Keep).unwrap();
    let d = path::lookup(&at, b"d", LastLink::Keep).unwrap();
    assert_eq!(name::link(&at, &f, b"d"), Err(Errno::EEXIST));
    assert_eq!(name::link(&at, &d, b"d2"), Err(Errno::EPERM));
    assert_eq!(name::link(&at, &f, b"f2"), Ok(()));
    assert_eq!(f.inode.attributes().links, 2);
    assert_eq!(d.inode.attributes().links, 3);
    assert_eq!(name::remove_directory(&at, b"d/e"), Ok(()));
    assert_eq!(d.inode.attributes().links, 2);
    // What was removed takes no new names, even if somebody stands in it.
    assert_eq!(name::remove_directory(&at, b"d"), Ok(()));
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
    let rename =
        |from: &str, to: &str, taken| name::rename((&at, from.as_bytes()), (&at, to.as_bytes()), taken);
    assert_eq!(rename("f", "g", Taken::Refuse), Err(Errno::EEXIST));
    assert_eq!(rename("f", "g", Taken::Exchange), Ok(()));
    assert_eq!(contents(&at, "f"), b"g");
    assert_eq!(rename("f", "g", Taken::Replace), Ok(()));
    assert_eq!((contents(&at, "g"), find(&at, "f")), (b"g".to_vec(), Err(Errno::ENOENT)));
    assert_eq!(rename("a", "a/b/x", Taken::Replace), Err(Errno::EINVAL));
    assert_eq!(rename("a", "a/b", Taken::Replace), Err(Errno::EINVAL));
    assert_eq!(rename("a/b", "a", Taken::Replace), Err(Errno::ENOTEMPTY));
    assert_eq!(rename("a", "c", Taken::Replace), Err(Errno::ENOTEMPTY));
    assert_eq!(rename("a", "g", Taken::Replace), Err(Errno::ENOTDIR));
    assert_eq!(rename("g", "a", Taken::Replace), Err(Errno::EISDIR));
    assert_eq!(rename("g", "x/", Taken::Replace), Err(Errno::ENOTDIR));
    assert_eq!(rename("a/..", "x", Taken::Replace), Err(Errno::EBUSY));
    assert_eq!(rename("nothing", "x", Taken::Exchange), Err(Errno::ENOENT));
    let links =
        |path: &str| path::lookup(&at, path.as_bytes(), LastLink::Follow).unwrap().inode.attributes().links;
    assert_eq!((links("a"), links("c"), links(".")), (3, 3, 4));
    assert_eq!(rename("a/b", "c/full", Taken::Replace), Ok(()));
    assert_eq!((links("a"), links("c")), (2, 3));
    assert_eq!(find(&at, "c/full/../../a").as_deref(), Ok("/a"));
    assert_eq!(rename("g", "g", Taken::Replace), Ok(()));
    assert_eq!(rename("c", "a", Taken::Exchange), Ok(()));
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
    name::unlink(&at, b"f1").unwrap();
    name::unlink(&at, b"f3").unwrap();
    put(&at, "new", b"");
    take(9);
    assert_eq!(seen, ["f0", "f1", "f2", "f4", "f5", "new"]);
}

#[ktest]
fn a_mount_covers_its_directory_until_it_is_taken_away() {
    let at = scratch("mounts");
    make_directory(&at, "m");
    put(&at, "m/below", b"");
    let location = path::lookup(&at, b"m", LastLink::Follow).unwrap();
    let root =
        Inode::new_root(&Superblock::new(FileSystemType::Tmpfs), Permissions::from_mode(0o755)).unwrap();
    mount::mount(&location, root.clone(), b"tmpfs").unwrap();
    assert_eq!(find(&at, "m/below"), Err(Errno::ENOENT));
    put(&at, "m/above", b"");
    assert_eq!(find(&at, "m/above").as_deref(), Ok("a file"));
    assert_eq!(find(&at, "m/..").as_deref(), Ok(""));
    assert_eq!(name::remove_directory(&at, b"m"), Err(Errno::EBUSY));
    let mounted = || path::lookup(&at, b"m", LastLink::Follow).unwrap();
    assert_eq!(mount::mount(&mounted(), root, b"tmpfs"), Err(Errno::EBUSY));
    let above = path::lookup(&at, b"m/above", LastLink::Follow).unwrap();
    assert_eq!(name::link(&at, &above, b"outside"), Err(Errno::EXDEV));
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Err(Errno::EBUSY));
    assert_eq!(mount::unmount(above, Busy::Refuse), Err(Errno::EINVAL));
    assert_eq!(mount::unmount(mounted(), Busy::Refuse), Ok(()));
    assert_eq!(find(&at, "m/below").as_deref(), Ok("a file"));
    assert_eq!(mount::unmount(mount::root().clone(), Busy::Detach), Err(Errno::EINVAL));
}

#[ktest]
fn a_tree_of_any_depth_is_dropped_without_the_stack() {
    let superblock = Superblock::new(FileSystemType::Tmpfs);
    let root = Inode::new_root(&superblock, Permissions::from_mode(0o755)).unwrap();
    let before = superblock.inodes.free();
    let mut at = Origin { start: mount::root().sibling(root.clone()), ..boot::origin() };
    for _ in 0..20_000 {
        let made = name::make(&at, b"d", NewFile::Directory, Permissions::from_mode(0o755));
        at.start = made.unwrap();
    }
    drop(at);
    assert_eq!(superblock.inodes.free(), before - 20_000);
    drop(root);
    assert_eq!(superblock.inodes.free(), before + 1);
}

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

#[ktest]
fn the_first_devices_answer() {
    boot::populate();
    let root = boot::origin();
    let null = try_open(&root, "/dev/null", O_RDWR).unwrap();
    assert_eq!(read(&*null, 0, 8), b"");
    assert_eq!(null.write_at(0, &mut Bytes(b"gone")), Poll::Ready(Ok(4)));
    let zero = try_open(&root, "/dev/zero", O_RDWR).unwrap();
    assert_eq!(read(&*zero, 0, 5000), alloc::vec![0; 5000]);
    let full = try_open(&root, "/dev/full", O_RDWR).unwrap();
    assert_eq!(full.write_at(0, &mut Bytes(b"x")), Poll::Ready(Err(Errno::ENOSPC)));
    let random = try_open(&root, "/dev/urandom", 0).unwrap();
    let (one, two) = (read(&*random, 0, 4096), read(&*random, 0, 4096));
    assert_ne!(one, two);
    let ones: u32 = one.iter().map(|byte| byte.count_ones()).sum();
    assert!((14_000..19_000).contains(&ones), "{ones} of 32768 bits are set");
    assert_eq!(try_open(&root, "/dev/ttyS3", 0).err(), Some(Errno::ENXIO));
    let _: &Location = random.location();
}
