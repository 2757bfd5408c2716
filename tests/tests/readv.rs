//! readv(2), preadv(2), preadv2(2) and their counterparts for writing, pread(2), pwrite(2), lseek(2).

use libc::{O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_TRUNC};
use pollux_tests::memory::{PAGE, Pages, UNMAPPED};
use pollux_tests::{Errno, Fd, fd, sys};

/// The offset that stands for the file's own.
const CURRENT: usize = usize::MAX;

fn file(name: &str, content: &[u8]) -> Fd {
    let file = fd::open(&format!("/tmp/readv-{name}"), O_RDWR | O_CREAT | O_TRUNC, 0o644).unwrap();
    assert_eq!(file.write(content), Ok(content.len()));
    seek(&file, 0, libc::SEEK_SET).unwrap();
    file
}

fn seek(file: &Fd, offset: i64, whence: i32) -> sys::Result<usize> {
    // SAFETY: no memory is involved.
    unsafe {
        sys::call(libc::SYS_lseek, [file.number() as usize, offset as usize, whence as usize])
    }
}

/// Makes a vectored call on ranges of memory, each an address and a length.
fn vectored(
    number: libc::c_long,
    file: &Fd,
    ranges: &[[usize; 2]],
    rest: [usize; 3],
) -> sys::Result<usize> {
    let [offset, high, flags] = rest;
    let vector = ranges.as_ptr() as usize;
    let arguments = [file.number() as usize, vector, ranges.len(), offset, high, flags];
    // SAFETY: the ranges are the caller's, or are not mapped.
    unsafe { sys::call(number, arguments) }
}

fn ranges<const N: usize>(parts: [&mut [u8]; N]) -> [[usize; 2]; N] {
    parts.map(|part| [part.as_mut_ptr() as usize, part.len()])
}

#[test]
fn preadv_and_pwritev_leave_the_offset() {
    let file = file("offset", b"0123456789");
    let (mut one, mut two) = ([0; 2], [0; 3]);
    let parts = ranges([&mut one, &mut two]);
    assert_eq!(vectored(libc::SYS_preadv, &file, &parts, [4, 0, 0]), Ok(5));
    assert_eq!((&one, &two), (b"45", b"678"));
    assert_eq!(vectored(libc::SYS_pwritev, &file, &parts, [1, 0, 0]), Ok(5));
    assert_eq!(file.read(20).unwrap(), b"0456786789");
}

#[test]
fn minus_one_is_the_offset_of_the_file() {
    let file = file("current", b"0123456789");
    seek(&file, 3, libc::SEEK_SET).unwrap();
    let mut two = [0; 2];
    let parts = ranges([&mut two]);
    assert_eq!(vectored(libc::SYS_preadv2, &file, &parts, [CURRENT, 0, 0]), Ok(2));
    assert_eq!(&two, b"34");
    assert_eq!(vectored(libc::SYS_pwritev2, &file, &parts, [CURRENT, 0, 0]), Ok(2));
    assert_eq!(seek(&file, 0, libc::SEEK_CUR), Ok(7));
    assert_eq!(vectored(libc::SYS_preadv, &file, &parts, [CURRENT, 0, 0]), Err(Errno::EINVAL));
}

#[test]
fn rwf_append_writes_to_the_end_once() {
    let file = file("append", b"0123");
    let mut two = *b"ab";
    let parts = ranges([&mut two]);
    let flags = libc::RWF_APPEND as usize;
    assert_eq!(vectored(libc::SYS_pwritev2, &file, &parts, [0, 0, flags]), Ok(2));
    assert_eq!(file.read(9).unwrap(), b"0123ab");
    assert_eq!(vectored(libc::SYS_pwritev2, &file, &parts, [0, 0, 0]), Ok(2));
    seek(&file, 0, libc::SEEK_SET).unwrap();
    assert_eq!(file.read(9).unwrap(), b"ab23ab");
}

#[test]
fn unknown_flags_are_eopnotsupp() {
    let file = file("flags", b"0123");
    let mut two = [0; 2];
    let parts = ranges([&mut two]);
    assert_eq!(
        vectored(libc::SYS_preadv2, &file, &parts, [0, 0, 1 << 20]),
        Err(Errno(libc::EOPNOTSUPP))
    );
    assert_eq!(
        vectored(libc::SYS_pwritev2, &file, &parts, [0, 0, 1 << 20]),
        Err(Errno(libc::EOPNOTSUPP))
    );
}

#[test]
fn a_pwrite_to_a_file_with_o_append_goes_to_the_end() {
    let file = file("pwrite", b"0123");
    file.set_flags(O_APPEND).unwrap();
    let arguments = [file.number() as usize, b"ab".as_ptr() as usize, 2, 0];
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { sys::call(libc::SYS_pwrite64, arguments) }, Ok(2));
    assert_eq!(file.read(9).unwrap(), b"0123ab");
}

#[test]
fn a_vector_is_one_write_to_a_pipe() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    writer.write(&[7; 15 * PAGE]).unwrap();
    let (mut one, mut two) = ([1; 3000], [2; 2000]);
    let parts = ranges([&mut one, &mut two]);
    assert_eq!(
        vectored(libc::SYS_writev, &writer, &parts, [0; 3]),
        Ok(PAGE),
        "the room of one page"
    );
    assert_eq!(reader.unread(), Ok(16 * PAGE as i32));
    let (mut one, mut two) = ([0; 15 * PAGE], [0; PAGE]);
    let parts = ranges([&mut one, &mut two]);
    assert_eq!(vectored(libc::SYS_readv, &reader, &parts, [0; 3]), Ok(16 * PAGE));
    assert_eq!(two[..3000], [1; 3000]);
    assert_eq!(two[3000..], [2; 1096]);
}

#[test]
fn a_vector_of_nothing_is_nothing_even_to_an_eventfd() {
    let event = fd::eventfd(0, 0).unwrap();
    assert_eq!(vectored(libc::SYS_readv, &event, &[], [0; 3]), Ok(0));
    assert_eq!(vectored(libc::SYS_writev, &event, &[], [0; 3]), Ok(0));
    assert_eq!(event.read(0), Err(Errno::EINVAL));
}

#[test]
fn a_read_that_meets_a_hole_later_is_short() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    writer.write(&[7; 3 * PAGE]).unwrap();
    let pages = Pages::before_hole(1);
    let mut first = [0; PAGE];
    let parts = [[first.as_mut_ptr() as usize, PAGE], [pages.end() - 10, 20]];
    assert_eq!(vectored(libc::SYS_readv, &reader, &parts, [0; 3]), Ok(PAGE));
    assert_eq!(reader.unread(), Ok(2 * PAGE as i32));
    let parts = [[first.as_mut_ptr() as usize, PAGE], [UNMAPPED, PAGE]];
    assert_eq!(vectored(libc::SYS_writev, &writer, &parts, [0; 3]), Ok(PAGE));
}

#[test]
fn streams_have_no_offsets() {
    let (reader, writer) = fd::pipe();
    let mut two = [0; 2];
    let parts = ranges([&mut two]);
    assert_eq!(vectored(libc::SYS_preadv, &reader, &parts, [0; 3]), Err(Errno::ESPIPE));
    assert_eq!(vectored(libc::SYS_pwritev, &writer, &parts, [0; 3]), Err(Errno::ESPIPE));
    assert_eq!(seek(&reader, 0, 9), Err(Errno::EINVAL));
    assert_eq!(seek(&reader, 0, libc::SEEK_SET), Err(Errno::ESPIPE));
    let event = fd::eventfd(1, 0).unwrap();
    assert_eq!(seek(&event, 5, libc::SEEK_SET), Ok(0));
    assert_eq!(vectored(libc::SYS_preadv, &event, &parts, [0; 3]), Err(Errno::ESPIPE));
}
