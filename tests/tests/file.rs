//! open(2), read(2), lseek(2), stat(2), getdents(2), unlink(2), rename(2): files in memory, and the devices.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{
    FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use std::path::{Path, PathBuf};

use libc::{O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use pollux_tests::memory::{PAGE, UNMAPPED};
use pollux_tests::{Errno, Fd, child, fd, sys};

/// Makes an empty directory of this name.
fn directory(name: &str) -> PathBuf {
    let path = Path::new("/tmp").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

fn open(path: &Path, flags: i32) -> Result<Fd, Errno> {
    fd::open(path.to_str().unwrap(), flags, 0o644)
}

/// Returns the error number of a failed library call.
fn errno<T>(result: io::Result<T>) -> Option<Errno> {
    result.err().and_then(|error| error.raw_os_error()).map(Errno)
}

#[test]
fn what_was_written_is_read() {
    let path = directory("file-read").join("f");
    let content: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    assert!(fs::read(&path).unwrap() == content);
    assert_eq!(fs::metadata(&path).unwrap().len(), 300_000);
}

#[test]
fn the_offset_moves_and_can_be_moved() {
    let path = directory("file-seek").join("f");
    fs::write(&path, b"0123456789").unwrap();
    let mut file = File::open(&path).unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).unwrap();
    assert_eq!(&two, b"01");
    assert_eq!(file.seek(SeekFrom::Current(3)).unwrap(), 5);
    assert_eq!(file.seek(SeekFrom::End(-2)).unwrap(), 8);
    assert_eq!(file.read(&mut [0; 5]).unwrap(), 2);
    assert_eq!(file.read(&mut [0; 5]).unwrap(), 0);
    assert_eq!(file.seek(SeekFrom::Start(100)).unwrap(), 100);
    assert_eq!(file.read(&mut [0; 5]).unwrap(), 0);
    assert_eq!(errno(file.seek(SeekFrom::Current(-101))), Some(Errno::EINVAL));
}

#[test]
fn positioned_reads_and_writes_leave_the_offset() {
    let path = directory("file-at").join("f");
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    file.write_all_at(b"xyz", 5).unwrap();
    let mut all = Vec::new();
    file.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"\0\0\0\0\0xyz");
    let mut two = [0; 2];
    file.read_exact_at(&mut two, 5).unwrap();
    assert_eq!((&two, file.stream_position().unwrap()), (b"xy", 8));
}

#[test]
fn appending_always_goes_to_the_end() {
    let path = directory("file-append").join("f");
    let first = open(&path, O_CREAT | O_WRONLY | O_APPEND).unwrap();
    let second = open(&path, O_WRONLY | O_APPEND).unwrap();
    for (fd, text) in [(&first, "a"), (&second, "b"), (&first, "c")] {
        fd.write(text.as_bytes()).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"abc");
}

#[test]
fn truncating_cuts_and_extends_with_zeros() {
    let path = directory("file-truncate").join("f");
    fs::write(&path, [7; 2 * PAGE]).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(10).unwrap();
    file.set_len(PAGE as u64).unwrap();
    let content = fs::read(&path).unwrap();
    assert_eq!((content.len(), &content[..11]), (PAGE, &[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0][..]));
    assert!(content[10..].iter().all(|byte| *byte == 0));
    drop(open(&path, O_WRONLY | O_TRUNC).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn opening_says_what_must_or_must_not_be_there() {
    let directory = directory("file-open");
    let path = directory.join("f");
    assert_eq!(open(&path, O_RDONLY), Err(Errno::ENOENT));
    assert!(open(&path, O_CREAT | O_EXCL | O_RDWR).is_ok());
    assert_eq!(open(&path, O_CREAT | O_EXCL | O_RDWR), Err(Errno::EEXIST));
    assert_eq!(open(&path, O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open(&path.join("x"), O_RDONLY), Err(Errno::ENOTDIR));
    assert_eq!(open(&directory.join("no/x"), O_CREAT | O_RDWR), Err(Errno::ENOENT));
    assert_eq!(open(&directory, O_RDWR), Err(Errno::EISDIR));
    assert_eq!(open(&directory, O_CREAT | O_RDONLY), Err(Errno::EISDIR));
    assert!(open(&directory, O_DIRECTORY | O_RDONLY).is_ok());
    assert_eq!(open(Path::new(""), O_RDONLY), Err(Errno::ENOENT));
    assert_eq!(open(&directory.join("n".repeat(256)), O_RDONLY), Err(Errno::ENAMETOOLONG));
}

#[test]
fn a_file_is_read_and_written_only_as_it_was_opened() {
    let path = directory("file-access").join("f");
    fs::write(&path, b"abc").unwrap();
    assert_eq!(open(&path, O_RDONLY).unwrap().write(b"x"), Err(Errno::EBADF));
    assert_eq!(open(&path, O_WRONLY).unwrap().read(1), Err(Errno::EBADF));
    assert_eq!(
        fs::File::open("/tmp").unwrap().read(&mut [0]).unwrap_err().raw_os_error(),
        Some(libc::EISDIR)
    );
}

#[test]
fn permissions_are_given_at_creation_less_the_mask() {
    child::run(|| {
        let directory = directory("file-mode");
        // SAFETY: no memory is involved.
        unsafe { libc::umask(0o027) };
        let path = directory.join("f");
        OpenOptions::new().write(true).create_new(true).mode(0o777).open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode(), 0o100_750);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode(), 0o100_600);
    });
}

#[test]
fn the_kind_of_a_file_is_told() {
    let directory = directory("file-kind");
    let kind = |path: &str| fs::metadata(path).unwrap().file_type();
    assert!(kind(directory.to_str().unwrap()).is_dir());
    assert!(kind("/dev/null").is_char_device());
    let stat = |fd: &Fd| {
        // SAFETY: all-zero is a valid `stat`, and it is ours.
        unsafe {
            let mut stat: libc::stat = core::mem::zeroed();
            assert_eq!(libc::fstat(fd.number(), &mut stat), 0);
            stat
        }
    };
    let (reader, _writer) = fd::pipe();
    assert_eq!(stat(&reader).st_mode & libc::S_IFMT, libc::S_IFIFO);
    let null = stat(&open(Path::new("/dev/null"), O_RDONLY).unwrap());
    assert_eq!(null.st_rdev, libc::makedev(1, 3));
}

#[test]
fn a_directory_lists_what_is_in_it() {
    let directory = directory("file-list");
    let names: Vec<_> = (0..300).map(|index| format!("name-{index:03}")).collect();
    names.iter().for_each(|name| fs::write(directory.join(name), b"").unwrap());
    fs::create_dir(directory.join("sub")).unwrap();
    let mut found: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found[..300], names);
    assert_eq!(found[300..], ["sub"]);
}

#[test]
fn the_room_for_a_listing_is_respected() {
    let directory = directory("file-dents");
    fs::write(directory.join("a-name-that-is-rather-long"), b"").unwrap();
    let fd = open(&directory, O_RDONLY | O_DIRECTORY).unwrap();
    let getdents = |address: usize, size: usize| {
        // SAFETY: the room is ours or nobody's.
        unsafe { sys::call(libc::SYS_getdents64, [fd.number() as usize, address, size]) }
    };
    let mut room = [0_u8; 1024];
    let address = room.as_mut_ptr() as usize;
    assert_eq!(getdents(address, 10), Err(Errno::EINVAL));
    assert_eq!(getdents(UNMAPPED, 1024), Err(Errno::EFAULT));
    assert!(getdents(address, 1024).unwrap() > 0);
    while getdents(address, 1024).unwrap() > 0 {}
    let (reader, _writer) = fd::pipe();
    let arguments = [reader.number() as usize, address, 1024];
    // SAFETY: the room is ours.
    let pipe = unsafe { sys::call(libc::SYS_getdents64, arguments) };
    assert_eq!(pipe, Err(Errno::ENOTDIR));
}

#[test]
fn a_removed_file_lives_as_long_as_it_is_open() {
    let path = directory("file-unlink").join("f");
    fs::write(&path, b"still").unwrap();
    let mut file = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(errno(File::open(&path)), Some(Errno::ENOENT));
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still");
    assert_eq!(file.metadata().unwrap().nlink(), 0);
}

#[test]
fn directories_are_made_and_removed_empty() {
    let directory = directory("file-rmdir");
    let sub = directory.join("sub");
    fs::create_dir(&sub).unwrap();
    assert_eq!(errno(fs::create_dir(&sub)), Some(Errno::EEXIST));
    fs::write(sub.join("f"), b"").unwrap();
    assert_eq!(errno(fs::remove_dir(&sub)), Some(Errno::ENOTEMPTY));
    assert_eq!(errno(fs::remove_file(&sub)), Some(Errno::EISDIR));
    assert_eq!(errno(fs::remove_dir(sub.join("f"))), Some(Errno::ENOTDIR));
    fs::remove_file(sub.join("f")).unwrap();
    fs::remove_dir(&sub).unwrap();
    assert_eq!(errno(fs::remove_dir(&sub)), Some(Errno::ENOENT));
}

#[test]
fn renaming_moves_and_replaces() {
    let directory = directory("file-rename");
    let (old, new) = (directory.join("old"), directory.join("new"));
    fs::write(&old, b"old").unwrap();
    fs::write(&new, b"new").unwrap();
    fs::rename(&old, &new).unwrap();
    assert_eq!(fs::read(&new).unwrap(), b"old");
    assert!(!old.exists());
    assert_eq!(errno(fs::rename(&old, &new)), Some(Errno::ENOENT));
    fs::create_dir(&old).unwrap();
    assert_eq!(errno(fs::rename(&new, &old)), Some(Errno::EISDIR));
    assert_eq!(errno(fs::rename(&old, &new)), Some(Errno::ENOTDIR));
}

#[test]
fn names_may_be_relative() {
    child::run(|| {
        let directory = directory("file-cwd");
        fs::create_dir(directory.join("sub")).unwrap();
        std::env::set_current_dir(directory.join("sub")).unwrap();
        assert_eq!(std::env::current_dir().unwrap(), directory.join("sub"));
        fs::write("f", b"here").unwrap();
        assert_eq!(fs::read("../sub/./f").unwrap(), b"here");
        assert_eq!(fs::read("/tmp/../tmp//file-cwd/sub/f").unwrap(), b"here");
        assert!(Path::new("/../../tmp").is_dir());
        let at = open(&directory, O_DIRECTORY).unwrap();
        let path = c"sub/f".as_ptr() as usize;
        // SAFETY: the kernel only reads.
        let opened = unsafe { sys::call(libc::SYS_openat, [at.number() as usize, path, 0]) };
        assert_eq!(Fd::from_number(opened.unwrap() as i32).read(9).unwrap(), b"here");
        // SAFETY: as above.
        let bad = unsafe { sys::call(libc::SYS_openat, [usize::MAX - 9, path, 0]) };
        assert_eq!(bad, Err(Errno::EBADF));
    });
}

#[test]
fn symbolic_links_are_followed_but_not_for_ever() {
    let directory = directory("file-symlink");
    fs::write(directory.join("f"), b"target").unwrap();
    symlink("f", directory.join("link")).unwrap();
    assert_eq!(fs::read(directory.join("link")).unwrap(), b"target");
    assert_eq!(fs::read_link(directory.join("link")).unwrap(), Path::new("f"));
    assert!(fs::symlink_metadata(directory.join("link")).unwrap().is_symlink());
    symlink("loop", directory.join("loop")).unwrap();
    assert_eq!(errno(fs::read(directory.join("loop"))), Some(Errno::ELOOP));
    symlink("nowhere", directory.join("dangling")).unwrap();
    assert_eq!(errno(fs::read(directory.join("dangling"))), Some(Errno::ENOENT));
    assert_eq!(open(&directory.join("link"), libc::O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(errno(fs::read_link(directory.join("f"))), Some(Errno::EINVAL));
    fs::remove_file(directory.join("link")).unwrap();
    assert!(directory.join("f").exists());
}

#[test]
fn null_swallows_everything_and_has_nothing() {
    let mut null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    assert_eq!(null.write(&[1; 100_000]).unwrap(), 100_000);
    assert_eq!(null.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn zero_never_ends() {
    let mut zero = File::open("/dev/zero").unwrap();
    let mut bytes = vec![1; 100_000];
    assert_eq!(zero.read(&mut bytes).unwrap(), 100_000);
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn urandom_and_getrandom_never_repeat() {
    let mut random = File::open("/dev/urandom").unwrap();
    let (mut first, mut second) = ([0; 32], [0; 32]);
    random.read_exact(&mut first).unwrap();
    random.read_exact(&mut second).unwrap();
    assert_ne!(first, second);
    let mut third = [0_u8; 32];
    let arguments = [third.as_mut_ptr() as usize, 32, 0];
    // SAFETY: the room is ours.
    assert_eq!(unsafe { sys::call(libc::SYS_getrandom, arguments) }, Ok(32));
    assert!(third != first && third != [0; 32]);
    // SAFETY: nothing is mapped there.
    let fault = unsafe { sys::call(libc::SYS_getrandom, [UNMAPPED, 8, 0]) };
    assert_eq!(fault, Err(Errno::EFAULT));
}

#[test]
fn bad_addresses_are_efault() {
    let path = directory("file-fault").join("f");
    let file = open(&path, O_CREAT | O_RDWR).unwrap();
    file.write(b"abc").unwrap();
    let number = file.number() as usize;
    let call = |number, arguments: [usize; 3]| {
        // SAFETY: nothing is mapped where the kernel is told to write.
        unsafe { sys::call(number, arguments) }
    };
    assert_eq!(call(libc::SYS_write, [number, UNMAPPED, 3]), Err(Errno::EFAULT));
    // SAFETY: as above.
    let read = unsafe { sys::call(libc::SYS_pread64, [number, UNMAPPED, 3, 0]) };
    assert_eq!(read, Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_fstat, [number, UNMAPPED, 0]), Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_open, [UNMAPPED, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_stat, [UNMAPPED, UNMAPPED, 0]), Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_getcwd, [UNMAPPED, 100, 0]), Err(Errno::EFAULT));
}
