//! memfd_create(2): files without a path, and the operations that seals forbid (`F_ADD_SEALS`).

use core::ptr;
use std::ffi::CString;
use std::fs;

use libc::{
    F_ADD_SEALS, F_GET_SEALS, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK,
    F_SEAL_WRITE, MAP_PRIVATE, MAP_SHARED, MFD_ALLOW_SEALING, MFD_CLOEXEC, PROT_READ, PROT_WRITE,
};
use pollux_tests::memory::{PAGE, UNMAPPED, last_error};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, Fd, child, fd};

fn create(name: &str, flags: u32) -> Result<Fd> {
    let name = CString::new(name).unwrap();
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_memfd_create, [name.as_ptr().addr(), flags as usize]) }
        .map(|number| Fd::from_number(number as i32))
}

fn sealable() -> Fd {
    create("sealable", MFD_ALLOW_SEALING).unwrap()
}

fn seal(fd: &Fd, seals: i32) -> Result<i32> {
    fd.fcntl(F_ADD_SEALS, seals as u32 as usize)
}

fn seals(fd: &Fd) -> Result<i32> {
    fd.fcntl(F_GET_SEALS, 0)
}

fn truncate(fd: &Fd, len: i64) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_ftruncate, [fd.number() as usize, len as usize]) }
}

fn fallocate(fd: &Fd, mode: i32, offset: i64, len: i64) -> Result<usize> {
    let arguments = [fd.number() as usize, mode as usize, offset as usize, len as usize];
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_fallocate, arguments) }
}

fn write_at(fd: &Fd, offset: usize, bytes: &[u8]) -> Result<usize> {
    let arguments = [fd.number() as usize, bytes.as_ptr().addr(), bytes.len(), offset];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_pwrite64, arguments) }
}

/// Maps a page of the file.
fn map(fd: &Fd, protection: i32, flags: i32) -> Result<*mut u8> {
    // SAFETY: a new mapping.
    let at = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, fd.number(), 0) };
    if at == libc::MAP_FAILED { Err(last_error()) } else { Ok(at.cast()) }
}

fn unmap(at: *mut u8, len: usize) {
    // SAFETY: the test's own mapping.
    assert_eq!(unsafe { libc::munmap(at.cast(), len) }, 0);
}

#[test]
fn it_is_a_file_that_nobody_else_finds() {
    let file = create("a name", MFD_CLOEXEC).unwrap();
    assert_eq!(file.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    assert_eq!(create("", 0).unwrap().fcntl(libc::F_GETFD, 0), Ok(0));
    assert_eq!(file.fcntl(libc::F_GETFL, 0), Ok(libc::O_RDWR | 0o100_000));
    file.write(b"hello").unwrap();
    // SAFETY: the structure is ours.
    let stat = unsafe {
        let mut stat: libc::stat = core::mem::zeroed();
        assert_eq!(libc::fstat(file.number(), &mut stat), 0);
        stat
    };
    assert_eq!((stat.st_mode, stat.st_nlink, stat.st_size), (0o100_777, 0, 5));
    let path = format!("/proc/self/fd/{}", file.number());
    assert_eq!(fs::read_link(&path).unwrap().to_str(), Some("/memfd:a name (deleted)"));
    let again = fd::open(&path, libc::O_RDONLY, 0).unwrap();
    assert_eq!(again.read(9).unwrap(), b"hello");
    assert_eq!(seal(&again, 0), Err(Errno::EPERM));
    let at = map(&file, PROT_READ, MAP_SHARED).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.lines().any(|line| line.ends_with("/memfd:a name (deleted)")), "{maps}");
    unmap(at, PAGE);
}

#[test]
fn names_and_flags_are_checked() {
    assert!(create(&"x".repeat(249), 0).is_ok());
    assert_eq!(create(&"x".repeat(250), 0), Err(Errno::EINVAL));
    assert_eq!(create("x", 0x100), Err(Errno::EINVAL));
    assert_eq!(create("x", 1 << 26), Err(Errno::EINVAL), "a size without huge pages");
    // SAFETY: nothing is there.
    let unmapped = |flags: usize| unsafe { sys::call(libc::SYS_memfd_create, [UNMAPPED, flags]) };
    assert_eq!(unmapped(0), Err(Errno::EFAULT));
    assert_eq!(unmapped(0x100), Err(Errno::EINVAL));
    assert!(create("the/same", 0).is_ok());
    assert!(create("the/same", 0).is_ok());
}

#[test]
fn without_the_flag_there_is_one_seal_from_the_start() {
    let file = create("x", 0).unwrap();
    assert_eq!(seals(&file), Ok(F_SEAL_SEAL));
    assert_eq!(seal(&file, F_SEAL_WRITE), Err(Errno::EPERM));
    assert_eq!(seals(&sealable()), Ok(0));
}

#[test]
fn seals_add_up_until_the_last() {
    let file = sealable();
    assert_eq!(seal(&file, F_SEAL_GROW), Ok(0));
    assert_eq!(seal(&file, F_SEAL_SHRINK), Ok(0));
    assert_eq!(seals(&file), Ok(F_SEAL_GROW | F_SEAL_SHRINK));
    assert_eq!(seal(&file, 1 << 20), Err(Errno::EINVAL));
    assert_eq!(file.fcntl(F_ADD_SEALS, 1 << 32), Err(Errno::EINVAL));
    assert_eq!(seal(&file, F_SEAL_SEAL), Ok(0));
    assert_eq!(seal(&file, 0), Err(Errno::EPERM));
    let (pipe, _writer) = fd::pipe();
    assert_eq!(seals(&pipe), Err(Errno::EINVAL));
    assert_eq!(seal(&pipe, 0), Err(Errno::EPERM), "it cannot be written");
    assert_eq!(seal(&_writer, 0), Err(Errno::EINVAL));
}

#[test]
fn it_gets_no_longer_or_no_shorter() {
    let file = sealable();
    file.write(&[1; 100]).unwrap();
    seal(&file, F_SEAL_GROW).unwrap();
    assert_eq!(truncate(&file, 101), Err(Errno::EPERM));
    assert_eq!(write_at(&file, 99, b"x"), Ok(1));
    assert_eq!(write_at(&file, 99, b"xy"), Err(Errno::EPERM));
    assert_eq!(write_at(&file, 100, b"x"), Err(Errno::EPERM));
    assert_eq!(fallocate(&file, 0, 0, 100), Ok(0));
    assert_eq!(fallocate(&file, 0, 0, 101), Err(Errno::EPERM));
    assert_eq!(fallocate(&file, 1, 0, 101), Err(Errno::EPERM));
    assert_eq!(truncate(&file, 50), Ok(0));
    seal(&file, F_SEAL_SHRINK).unwrap();
    assert_eq!(truncate(&file, 49), Err(Errno::EPERM));
    assert_eq!(truncate(&file, 50), Ok(0));
    assert_eq!(fallocate(&file, 3, 0, 10), Ok(0));
    let path = format!("/proc/self/fd/{}", file.number());
    let cut = fd::open(&path, libc::O_RDWR | libc::O_TRUNC, 0);
    assert_eq!(cut, Err(Errno::EPERM));
}

#[test]
fn a_write_stops_where_the_file_may_not_grow() {
    let file = sealable();
    truncate(&file, PAGE as i64 + 10).unwrap();
    seal(&file, F_SEAL_GROW).unwrap();
    assert_eq!(write_at(&file, 0, &vec![1; 2 * PAGE]), Ok(PAGE));
    assert_eq!(write_at(&file, PAGE, &[1; 11]), Err(Errno::EPERM));
}

/// Checks that a mapping begins with this byte and cannot be made writable, and unmaps it.
fn read_only(at: *mut u8, first: u8) {
    // SAFETY: the mapping is the test's own.
    unsafe {
        assert_eq!(at.read(), first);
        assert_eq!(libc::mprotect(at.cast(), PAGE, PROT_READ | PROT_WRITE), -1);
    }
    assert_eq!(last_error(), Errno::EACCES);
    unmap(at, PAGE);
}

#[test]
fn nobody_writes() {
    let file = sealable();
    file.write(&[1; 100]).unwrap();
    seal(&file, F_SEAL_WRITE).unwrap();
    assert_eq!(write_at(&file, 0, b"x"), Err(Errno::EPERM));
    assert_eq!(fallocate(&file, 3, 0, 10), Err(Errno::EPERM));
    assert_eq!(truncate(&file, 200), Ok(0));
    assert_eq!(map(&file, PROT_READ | PROT_WRITE, MAP_SHARED), Err(Errno::EPERM));
    read_only(map(&file, PROT_READ, MAP_SHARED).unwrap(), 1);
    let own = map(&file, PROT_READ | PROT_WRITE, MAP_PRIVATE).unwrap();
    // SAFETY: the page is the test's own copy.
    unsafe { own.write(7) };
    unmap(own, PAGE);
    let path = format!("/proc/self/fd/{}", file.number());
    let reader = fd::open(&path, libc::O_RDONLY, 0).unwrap();
    read_only(map(&reader, PROT_READ, MAP_SHARED).unwrap(), 1);
}

#[test]
fn a_mapping_that_can_be_written_keeps_the_seal_off() {
    let file = sealable();
    truncate(&file, 2 * PAGE as i64).unwrap();
    for protection in [PROT_READ | PROT_WRITE, PROT_READ] {
        let at = map(&file, protection, MAP_SHARED).unwrap();
        assert_eq!(seal(&file, F_SEAL_WRITE), Err(Errno::EBUSY));
        assert_eq!(seal(&file, F_SEAL_WRITE | F_SEAL_GROW), Err(Errno::EBUSY));
        assert_eq!(seals(&file), Ok(0));
        unmap(at, PAGE);
    }
    // SAFETY: a new mapping.
    let at = unsafe {
        let both = PROT_READ | PROT_WRITE;
        libc::mmap(ptr::null_mut(), 2 * PAGE, both, MAP_SHARED, file.number(), 0).cast::<u8>()
    };
    unmap(at, PAGE);
    assert_eq!(seal(&file, F_SEAL_WRITE), Err(Errno::EBUSY), "half of it is left");
    let (reader, writer) = fd::pipe();
    let (told, teller) = fd::pipe();
    let child = child::spawn(|| {
        teller.write(b"x").unwrap();
        reader.read(1).unwrap();
    });
    told.read(1).unwrap();
    unmap(at.wrapping_add(PAGE), PAGE);
    assert_eq!(seal(&file, F_SEAL_WRITE), Err(Errno::EBUSY), "the child has it");
    writer.write(b"x").unwrap();
    child.join();
    assert_eq!(seal(&file, F_SEAL_WRITE), Ok(0));
}

#[test]
fn who_has_it_mapped_may_go_on_writing() {
    let file = sealable();
    truncate(&file, PAGE as i64).unwrap();
    let before = map(&file, PROT_READ | PROT_WRITE, MAP_SHARED).unwrap();
    assert_eq!(seal(&file, F_SEAL_FUTURE_WRITE), Ok(0));
    // SAFETY: the mapping is there.
    unsafe { before.write(9) };
    assert_eq!(write_at(&file, 0, b"x"), Err(Errno::EPERM));
    assert_eq!(map(&file, PROT_READ | PROT_WRITE, MAP_SHARED), Err(Errno::EPERM));
    read_only(map(&file, PROT_READ, MAP_SHARED).unwrap(), 9);
    let seen = map(&file, PROT_READ, MAP_SHARED).unwrap();
    unmap(before, PAGE);
    assert_eq!(seal(&file, F_SEAL_WRITE), Ok(0), "who only reads does not keep it off");
    unmap(seen, PAGE);
}
