//! fcntl_locking(2): advisory locks on ranges of a file, of processes and of open file descriptions.

use libc::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK,
};
use libc::{O_CREAT, O_RDONLY, O_RDWR, O_WRONLY};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, signal};

fn file(name: &str) -> (String, Fd) {
    let path = format!("/tmp/locking-{name}");
    std::fs::write(&path, [0; 100]).unwrap();
    let file = fd::open(&path, O_RDWR | O_CREAT, 0o644).unwrap();
    (path, file)
}

fn open(path: &str, flags: i32) -> Fd {
    fd::open(path, flags, 0).unwrap()
}

fn range(kind: i32, start: i64, length: i64) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: start,
        l_len: length,
        l_pid: 0,
    }
}

fn lock(file: &Fd, command: i32, mut wanted: libc::flock) -> Result<libc::flock, Errno> {
    file.fcntl(command, &raw mut wanted as usize).map(|_| wanted)
}

fn set(file: &Fd, kind: i32, start: i64, length: i64) -> Result<(), Errno> {
    lock(file, F_SETLK, range(kind, start, length)).map(drop)
}

fn set_of_description(file: &Fd, kind: i32, start: i64, length: i64) -> Result<(), Errno> {
    lock(file, F_OFD_SETLK, range(kind, start, length)).map(drop)
}

/// Returns type, start, length and process of the conflicting lock.
fn in_the_way(file: &Fd, kind: i32, start: i64, length: i64) -> Option<(i32, i64, i64, i32)> {
    let found = lock(file, F_GETLK, range(kind, start, length)).unwrap();
    let kind = i32::from(found.l_type);
    (kind != F_UNLCK).then_some((kind, found.l_start, found.l_len, found.l_pid))
}

#[test]
fn a_process_is_never_in_its_own_way() {
    let (path, file) = file("own");
    set(&file, F_WRLCK, 0, 10).unwrap();
    let other = open(&path, O_RDWR);
    assert_eq!(set(&other, F_WRLCK, 5, 10), Ok(()));
    assert_eq!(in_the_way(&file, F_WRLCK, 0, 0), None);
}

#[test]
fn another_process_shares_or_is_kept_out() {
    let (_, file) = file("others");
    set(&file, F_WRLCK, 0, 10).unwrap();
    set(&file, F_RDLCK, 20, 10).unwrap();
    let me = std::process::id() as i32;
    child::run(|| {
        assert_eq!(set(&file, F_RDLCK, 9, 1), Err(Errno::EAGAIN));
        assert_eq!(set(&file, F_WRLCK, 29, 1), Err(Errno::EAGAIN));
        assert_eq!(set(&file, F_RDLCK, 15, 20), Ok(()));
        assert_eq!(set(&file, F_WRLCK, 10, 10), Ok(()));
        assert_eq!(in_the_way(&file, F_RDLCK, 0, 0), Some((F_WRLCK, 0, 10, me)));
        assert_eq!(in_the_way(&file, F_WRLCK, 15, 0), Some((F_RDLCK, 20, 10, me)));
        assert_eq!(in_the_way(&file, F_RDLCK, 15, 0), None);
    });
}

#[test]
fn unlocking_the_middle_leaves_both_ends() {
    let (_, file) = file("middle");
    set(&file, F_WRLCK, 0, 0).unwrap();
    set(&file, F_UNLCK, 10, 10).unwrap();
    let me = std::process::id() as i32;
    child::run(|| {
        assert_eq!(set(&file, F_WRLCK, 10, 10), Ok(()));
        assert_eq!(in_the_way(&file, F_WRLCK, 0, 5), Some((F_WRLCK, 0, 10, me)));
        assert_eq!(in_the_way(&file, F_WRLCK, 50, 5), Some((F_WRLCK, 20, 0, me)));
    });
}

#[test]
fn locks_go_with_the_first_descriptor_that_is_closed() {
    let (path, file) = file("close");
    set(&file, F_WRLCK, 0, 10).unwrap();
    drop(open(&path, O_RDONLY));
    child::run(|| assert_eq!(set(&file, F_WRLCK, 0, 10), Ok(())));
}

#[test]
fn locks_go_with_their_process() {
    let (_, file) = file("exit");
    child::run(|| set(&file, F_WRLCK, 0, 10).unwrap());
    assert_eq!(set(&file, F_WRLCK, 0, 10), Ok(()));
}

#[test]
fn a_child_inherits_no_lock() {
    let (_, file) = file("fork");
    set(&file, F_WRLCK, 0, 10).unwrap();
    child::run(|| {
        assert_eq!(set(&file, F_UNLCK, 0, 0), Ok(()));
        assert_eq!(set(&file, F_RDLCK, 0, 1), Err(Errno::EAGAIN));
    });
}

#[test]
fn waiting_ends_when_the_lock_is_released() {
    let (_, file) = file("wait");
    set(&file, F_WRLCK, 0, 10).unwrap();
    let waiting = child::spawn(|| {
        time::at_least(time::SETTLE / 2, || lock(&file, F_SETLKW, range(F_WRLCK, 5, 1))).unwrap();
    });
    time::settle();
    set(&file, F_UNLCK, 0, 0).unwrap();
    waiting.join();
}

#[test]
fn waiting_ends_when_an_exclusive_lock_becomes_shared() {
    let (_, file) = file("downgrade");
    set(&file, F_WRLCK, 0, 10).unwrap();
    let waiting = child::spawn(|| {
        lock(&file, F_SETLKW, range(F_RDLCK, 5, 1)).unwrap();
    });
    time::settle();
    set(&file, F_RDLCK, 0, 10).unwrap();
    waiting.join();
}

#[test]
fn a_signal_ends_waiting_with_eintr() {
    let (_, file) = file("signal");
    set(&file, F_WRLCK, 0, 10).unwrap();
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        signal::alarm(ms(20));
        let waited = time::at_least(ms(20), || lock(&file, F_SETLKW, range(F_WRLCK, 0, 1)));
        assert_eq!(waited.map(drop), Err(Errno::EINTR));
    });
}

#[test]
fn waiting_for_one_who_waits_for_me_is_edeadlk() {
    let (_, file) = file("deadlock");
    set(&file, F_WRLCK, 0, 1).unwrap();
    let child = child::spawn(|| {
        set(&file, F_WRLCK, 1, 1).unwrap();
        lock(&file, F_SETLKW, range(F_WRLCK, 0, 1)).unwrap();
    });
    while in_the_way(&file, F_WRLCK, 1, 1).is_none() {
        time::settle();
    }
    time::settle();
    let waited = lock(&file, F_SETLKW, range(F_WRLCK, 1, 1)).map(drop);
    assert_eq!(waited, Err(Errno(libc::EDEADLK)));
    set(&file, F_UNLCK, 0, 0).unwrap();
    child.join();
}

#[test]
fn descriptions_are_in_each_others_way_within_a_process() {
    let (path, file) = file("description");
    let other = open(&path, O_RDWR);
    set_of_description(&file, F_WRLCK, 0, 10).unwrap();
    assert_eq!(set_of_description(&file.dup().unwrap(), F_WRLCK, 5, 10), Ok(()));
    assert_eq!(set_of_description(&other, F_RDLCK, 0, 1), Err(Errno::EAGAIN));
    assert_eq!(set(&other, F_RDLCK, 0, 1), Err(Errno::EAGAIN), "nor does the process own them");
    let found = lock(&other, F_OFD_GETLK, range(F_RDLCK, 0, 0)).unwrap();
    assert_eq!(
        (i32::from(found.l_type), found.l_start, found.l_len, found.l_pid),
        (F_WRLCK, 0, 15, -1)
    );
    let mut wanted = range(F_RDLCK, 0, 1);
    wanted.l_pid = 1;
    assert_eq!(lock(&other, F_OFD_SETLK, wanted).map(drop), Err(Errno::EINVAL));
}

#[test]
fn a_descriptions_locks_go_with_its_last_descriptor() {
    let (path, file) = file("last");
    let (duplicate, other) = (file.dup().unwrap(), open(&path, O_RDWR));
    set_of_description(&file, F_WRLCK, 0, 10).unwrap();
    drop(file);
    assert_eq!(set_of_description(&other, F_RDLCK, 0, 1), Err(Errno::EAGAIN));
    let waiting =
        std::thread::spawn(move || lock(&other, F_OFD_SETLKW, range(F_RDLCK, 0, 1)).map(drop));
    time::settle();
    drop(duplicate);
    assert_eq!(waiting.join().unwrap(), Ok(()));
}

#[test]
fn ranges_are_relative_and_must_exist() {
    let (_, file) = file("ranges");
    file.read(10).unwrap();
    let mut wanted = range(F_WRLCK, 5, 0);
    wanted.l_whence = libc::SEEK_CUR as i16;
    lock(&file, F_SETLK, wanted).unwrap();
    set(&file, F_WRLCK, 10, -5).unwrap();
    let me = std::process::id() as i32;
    child::run(|| {
        assert_eq!(in_the_way(&file, F_RDLCK, 15, 1), Some((F_WRLCK, 15, 0, me)));
        assert_eq!(in_the_way(&file, F_RDLCK, 0, 15), Some((F_WRLCK, 5, 5, me)));
    });
    assert_eq!(set(&file, F_WRLCK, -1, 0), Err(Errno::EINVAL));
    assert_eq!(set(&file, F_WRLCK, 2, -3), Err(Errno::EINVAL));
    assert_eq!(set(&file, F_WRLCK, i64::MAX, 2), Err(Errno(libc::EOVERFLOW)));
    assert_eq!(set(&file, 9, 0, 0), Err(Errno::EINVAL));
    assert_eq!(lock(&file, F_GETLK, range(F_UNLCK, 0, 0)).map(drop), Err(Errno::EINVAL));
    assert_eq!(file.fcntl(F_SETLK, UNMAPPED), Err(Errno::EFAULT));
}

#[test]
fn a_lock_needs_the_access_that_it_protects() {
    let (path, _) = file("access");
    assert_eq!(set(&open(&path, O_RDONLY), F_WRLCK, 0, 1), Err(Errno::EBADF));
    assert_eq!(set(&open(&path, O_WRONLY), F_RDLCK, 0, 1), Err(Errno::EBADF));
}
