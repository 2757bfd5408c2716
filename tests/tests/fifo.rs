//! fifo(7), mkfifo(3): a pipe with a name.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::thread;

use libc::{O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT};
use pollux_tests::memory::PAGE;
use pollux_tests::pollee::Counters;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, poll, signal};

/// A FIFO in `/tmp`, removed when it goes out of scope.
struct Fifo(String);

impl Fifo {
    fn new(name: &str) -> Self {
        let path = format!("/tmp/{name}");
        let _ = std::fs::remove_file(&path);
        let name = CString::new(path.clone()).unwrap();
        // SAFETY: the path is ours.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        Self(path)
    }

    fn open(&self, flags: i32) -> Result<Fd, Errno> {
        fd::open(&self.0, flags, 0)
    }

    /// Opens both ends without blocking.
    fn ends(&self) -> (Fd, Fd) {
        let reader = self.open(O_RDONLY | O_NONBLOCK).unwrap();
        (reader, self.open(O_WRONLY | O_NONBLOCK).unwrap())
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn bytes_go_from_who_opened_it_to_write_to_who_opened_it_to_read() {
    let fifo = Fifo::new("fifo-bytes");
    let (reader, writer) = fifo.ends();
    assert_eq!(writer.write(b"through a name"), Ok(14));
    assert_eq!(reader.unread(), Ok(14));
    assert_eq!(reader.read(100).unwrap(), b"through a name");
    assert_eq!(reader.read(1), Err(Errno::EAGAIN));
    assert_eq!(reader.write(b"x"), Err(Errno::EBADF));
    assert_eq!(writer.read(1), Err(Errno::EBADF));
}

#[test]
fn opening_to_read_waits_for_a_writer() {
    let fifo = Fifo::new("fifo-read");
    thread::scope(|scope| {
        scope.spawn(|| {
            time::settle();
            fifo.open(O_WRONLY).unwrap().write(b"x").unwrap();
        });
        let reader = time::at_least(time::SETTLE / 2, || fifo.open(O_RDONLY)).unwrap();
        assert_eq!(reader.read(2).unwrap(), b"x");
        assert_eq!(reader.read(2).unwrap(), b"");
    });
}

#[test]
fn opening_to_write_waits_for_a_reader() {
    let fifo = Fifo::new("fifo-write");
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            time::settle();
            fifo.open(O_RDONLY).unwrap().read(2).unwrap()
        });
        let writer = time::at_least(time::SETTLE / 2, || fifo.open(O_WRONLY)).unwrap();
        assert_eq!(writer.write(b"x"), Ok(1));
        assert_eq!(reading.join().unwrap(), b"x");
    });
}

#[test]
fn one_writer_releases_all_who_wait_to_read() {
    let fifo = Fifo::new("fifo-all");
    thread::scope(|scope| {
        let readers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| fifo.open(O_RDONLY).unwrap())).collect();
        time::settle();
        let writer = fifo.open(O_WRONLY).unwrap();
        let readers: Vec<Fd> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        drop(writer);
        for reader in readers {
            assert_eq!(reader.read(1).unwrap(), b"");
        }
    });
}

#[test]
fn a_partner_that_leaves_at_once_has_been_there() {
    let fifo = Fifo::new("fifo-brief");
    thread::scope(|scope| {
        scope.spawn(|| {
            time::settle();
            drop(fifo.open(O_WRONLY | O_NONBLOCK).unwrap());
        });
        let reader = fifo.open(O_RDONLY).unwrap();
        assert_eq!(reader.read(1).unwrap(), b"");
    });
}

#[test]
fn a_signal_ends_a_blocked_open_with_eintr() {
    let fifo = Fifo::new("fifo-signal");
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        signal::alarm(ms(20));
        assert_eq!(time::at_least(ms(20), || fifo.open(O_RDONLY)), Err(Errno::EINTR));
        assert_eq!(fifo.open(O_WRONLY | O_NONBLOCK), Err(Errno::ENXIO), "no reader is left behind");
    });
}

#[test]
fn opening_without_blocking_to_read_succeeds_and_to_write_is_enxio() {
    let fifo = Fifo::new("fifo-nonblocking");
    assert_eq!(fifo.open(O_WRONLY | O_NONBLOCK), Err(Errno::ENXIO));
    let reader = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!(reader.read(1).unwrap(), b"", "no writer is the end of the file");
    let writer = fifo.open(O_WRONLY | O_NONBLOCK).unwrap();
    assert_eq!(reader.read(1), Err(Errno::EAGAIN));
    drop(writer);
    assert_eq!(reader.read(1).unwrap(), b"");
}

#[test]
fn opening_for_both_never_waits_and_never_ends() {
    let fifo = Fifo::new("fifo-both");
    let both = time::at_once(|| fifo.open(O_RDWR | O_NONBLOCK)).unwrap();
    assert_eq!(both.read(1), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&both, POLLIN | POLLOUT), POLLOUT);
    both.write(b"self").unwrap();
    assert_eq!(poll::ready(&both, POLLIN | POLLOUT), POLLIN | POLLOUT);
    assert_eq!(both.read(9).unwrap(), b"self");
}

#[test]
fn nobody_has_hung_up_before_the_first_writer_came() {
    let fifo = Fifo::new("fifo-hup");
    let reader = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!(poll::ready(&reader, POLLIN), 0);
    let writer = fifo.open(O_WRONLY).unwrap();
    assert_eq!(poll::ready(&reader, POLLIN), 0);
    writer.write(b"x").unwrap();
    drop(writer);
    assert_eq!(poll::ready(&reader, POLLIN), POLLIN | POLLHUP);
    reader.read(1).unwrap();
    assert_eq!(poll::ready(&reader, POLLIN), POLLHUP);
    let second = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!(poll::ready(&second, POLLIN), 0, "who came later has seen no writer");
    let writer = fifo.open(O_WRONLY).unwrap();
    assert_eq!(poll::ready(&reader, POLLIN), 0);
    drop(writer);
    assert_eq!(poll::ready(&second, POLLIN), POLLHUP);
}

#[test]
fn the_writer_learns_that_the_last_reader_left() {
    let fifo = Fifo::new("fifo-err");
    let (reader, writer) = fifo.ends();
    let second = fifo.open(O_RDONLY).unwrap();
    drop(reader);
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT);
    drop(second);
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT | POLLERR);
    assert_eq!(writer.write(b"x"), Err(Errno::EPIPE));
    let _reader = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT, "there is a reader again");
    assert_eq!(writer.write(b"x"), Ok(1));
}

#[test]
fn unread_bytes_go_with_the_last_who_has_it_open() {
    let fifo = Fifo::new("fifo-last");
    let (reader, writer) = fifo.ends();
    writer.write(b"kept").unwrap();
    drop(writer);
    let writer = fifo.open(O_WRONLY).unwrap();
    assert_eq!(reader.read(9).unwrap(), b"kept");
    writer.write(b"lost").unwrap();
    drop((reader, writer));
    let (reader, _writer) = fifo.ends();
    assert_eq!(reader.read(9), Err(Errno::EAGAIN));
}

#[test]
fn a_fifo_without_a_name_lives_on() {
    let fifo = Fifo::new("fifo-unlinked");
    let (reader, writer) = fifo.ends();
    drop(fifo);
    writer.write(b"x").unwrap();
    assert_eq!(reader.read(2).unwrap(), b"x");
}

#[test]
fn two_names_lead_to_the_same_fifo_and_two_fifos_are_two() {
    let (one, other) = (Fifo::new("fifo-one"), Fifo::new("fifo-other"));
    std::fs::remove_file(&other.0).unwrap();
    std::fs::hard_link(&one.0, &other.0).unwrap();
    let (reader, _writer) = one.ends();
    other.open(O_WRONLY).unwrap().write(b"x").unwrap();
    assert_eq!(reader.read(2).unwrap(), b"x");
    let third = Fifo::new("fifo-third");
    assert_eq!(third.open(O_WRONLY | O_NONBLOCK), Err(Errno::ENXIO));
}

#[test]
fn its_capacity_can_be_set() {
    let fifo = Fifo::new("fifo-capacity");
    let (reader, writer) = fifo.ends();
    assert_eq!(reader.fcntl(libc::F_SETPIPE_SZ, 1), Ok(PAGE as i32));
    assert_eq!(writer.fcntl(libc::F_GETPIPE_SZ, 0), Ok(PAGE as i32));
    assert_eq!(writer.write(&[1; 2 * PAGE]), Ok(PAGE));
}

#[test]
fn a_descriptor_tells_and_changes_what_the_inode_has() {
    let fifo = Fifo::new("fifo-inode");
    let end = fs::File::options().read(true).write(true).open(&fifo.0).unwrap();
    let (by_name, by_descriptor) = (fs::metadata(&fifo.0).unwrap(), end.metadata().unwrap());
    assert!(by_descriptor.file_type().is_fifo());
    assert_eq!(by_descriptor.ino(), by_name.ino());
    assert_eq!(by_descriptor.dev(), by_name.dev());
    end.set_permissions(Permissions::from_mode(0o640)).unwrap();
    assert_eq!(fs::metadata(&fifo.0).unwrap().mode() & 0o7777, 0o640);
    fs::remove_file(&fifo.0).unwrap();
    assert_eq!(end.metadata().unwrap().nlink(), 0);
}

#[test]
fn polling_an_idle_end_asks_the_pipe_nothing() {
    const ROUNDS: u64 = 100;
    let fifo = Fifo::new("fifo-idle");
    let both = fifo.open(O_RDWR).unwrap();
    assert_eq!(poll::ready(&both, POLLIN), 0);
    let before = Counters::read();
    for _ in 0..ROUNDS {
        assert_eq!(poll::ready(&both, POLLIN), 0);
    }
    // Linux has no such counters, and a kernel without a cache counts no hits.
    if let (Some(before), Some(after)) = (before, Counters::read()) {
        let hits = after.get("pipe", "hits") - before.get("pipe", "hits");
        assert!(hits == 0 || hits >= ROUNDS, "{hits} hits");
        assert!(hits > 0 || after.get("pipe", "misses") > before.get("pipe", "misses"));
    }
}
