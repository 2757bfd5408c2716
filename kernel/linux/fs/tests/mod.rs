//! The tree below paths, names, opens and archives, tested inside the kernel.

mod contents;
mod initramfs;
mod lookup;
mod mount;
mod names;

use alloc::string::String;
use alloc::vec::Vec;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;

use crate::core::file::traits::File;
use crate::linux::fs::boot;
use crate::linux::fs::namei::{self, NewFile};
use crate::linux::fs::open::{self, OpenHow, Opened};
use crate::linux::fs::path::{self, LastLink, Origin};

const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;
const O_TRUNC: u32 = 0o1000;
const O_DIRECTORY: u32 = 0o200_000;
const O_NOFOLLOW: u32 = 0o400_000;
const O_TMPFILE: u32 = 0o20_200_000;
const O_RDWR: u32 = 2;

/// Makes a new directory for one test.
fn scratch(test: &str) -> Origin {
    let root = boot::origin();
    let made = namei::make(&root, test.as_bytes(), NewFile::Directory, Permissions::from_mode(0o755));
    Origin { start: made.unwrap(), ..root }
}

fn make_directory(at: &Origin, path: &str) {
    namei::make(at, path.as_bytes(), NewFile::Directory, Permissions::from_mode(0o777)).unwrap();
}

fn make_link(at: &Origin, target: &str, path: &str) {
    let link = NewFile::Symlink(target.as_bytes().into());
    namei::make(at, path.as_bytes(), link, Permissions::empty()).unwrap();
}

/// Returns the path of the directory that `path` leads to, free of links; other files must only exist.
fn find(at: &Origin, path: &str) -> Result<String, Errno> {
    let found = path::lookup(at, path.as_bytes(), LastLink::Follow)?;
    if !found.inode.is_directory() {
        return Ok(String::from("a file"));
    }
    let parent = path::absolute(&at.start).unwrap();
    let whole = path::absolute(&found)?;
    Ok(String::from_utf8(whole[parent.len()..].to_vec()).unwrap())
}

fn try_open(at: &Origin, path: &str, flags: u32) -> Result<Opened, Errno> {
    open::open(at, path.as_bytes(), OpenHow::parse(flags, 0o644)?)
}

fn put(at: &Origin, path: &str, bytes: &[u8]) {
    let Opened { file, .. } = try_open(at, path, O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(0, &mut &bytes[..]), Poll::Ready(Ok(bytes.len())));
}

fn contents(at: &Origin, path: &str) -> Vec<u8> {
    read(&*try_open(at, path, 0).unwrap().file, 0, 1 << 20)
}

fn read(file: &dyn File, offset: u64, room: usize) -> Vec<u8> {
    let mut bytes = alloc::vec![0; room];
    let Poll::Ready(Ok(count)) = file.read_at(offset, &mut &mut bytes[..]) else {
        panic!("a read that fails or blocks");
    };
    bytes.truncate(count);
    bytes
}
