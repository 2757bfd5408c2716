//! inotify(7): reading events, waiting for them, and losing them.

use std::fs;
use std::thread;

use libc::{
    EPOLLET, EPOLLIN, IN_ALL_EVENTS, IN_CREATE, IN_DELETE, IN_MODIFY, IN_OPEN, IN_Q_OVERFLOW,
    O_CREAT, O_RDWR, POLLIN, POLLOUT, POLLRDNORM,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::inotify::{self, HEADER, add, named};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::{Errno, child, fd, poll, sys};

/// Makes an empty directory.
fn directory(name: &str) -> String {
    let path = format!("/tmp/inotify-read-{name}");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

fn touch(path: &str, name: &str) {
    drop(fd::open(&format!("{path}/{name}"), O_RDWR | O_CREAT, 0o600).unwrap());
}

#[test]
fn a_name_is_padded_to_whole_headers() {
    let path = directory("padding");
    let instance = inotify::instance();
    add(&instance, &path, IN_CREATE).unwrap();
    for length in [1, 15, 16, 17, 31, 32, 255] {
        let name = "n".repeat(length);
        touch(&path, &name);
        let size = HEADER + (length + 1).next_multiple_of(HEADER);
        assert_eq!(instance.unread(), Ok(size as i32));
        let bytes = instance.read(1000).unwrap();
        assert_eq!(bytes.len(), size);
        assert_eq!(inotify::parse(&bytes), [named(1, IN_CREATE, &name)]);
    }
    assert_eq!(instance.unread(), Ok(0));
}

#[test]
fn whole_events_are_read() {
    let path = directory("whole");
    let instance = inotify::instance();
    assert_eq!(instance.read(100), Err(Errno::EAGAIN));
    assert_eq!(instance.read(0), Err(Errno::EAGAIN));
    add(&instance, &path, IN_CREATE).unwrap();
    for name in ["a", "b", "c"] {
        touch(&path, name);
    }
    assert_eq!(instance.unread(), Ok(96));
    assert_eq!(instance.read(0), Err(Errno::EINVAL));
    assert_eq!(instance.read(31), Err(Errno::EINVAL));
    assert_eq!(
        inotify::parse(&instance.read(80).unwrap()),
        [named(1, IN_CREATE, "a"), named(1, IN_CREATE, "b")]
    );
    assert_eq!(inotify::parse(&instance.read(32).unwrap()), [named(1, IN_CREATE, "c")]);
    assert_eq!(instance.read(100), Err(Errno::EAGAIN));
}

#[test]
fn a_stream_has_no_offset() {
    let instance = inotify::instance();
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { sys::call(libc::SYS_lseek, [instance.number() as usize, 5, 0]) }, Ok(0));
    let mut buffer = [0_u8; 64];
    let arguments = [instance.number() as usize, buffer.as_mut_ptr().addr(), 64, 0];
    // SAFETY: the buffer is ours.
    assert_eq!(unsafe { sys::call(libc::SYS_pread64, arguments) }, Err(Errno::ESPIPE));
}

#[test]
fn a_bad_address_is_an_error() {
    let path = directory("fault");
    let instance = inotify::instance();
    add(&instance, &path, IN_CREATE).unwrap();
    touch(&path, "a");
    // SAFETY: nothing is written.
    let read = unsafe { sys::call(libc::SYS_read, [instance.number() as usize, UNMAPPED, 100]) };
    assert_eq!(read, Err(Errno::EFAULT));
}

#[test]
fn it_is_readable_while_events_are_queued() {
    let path = directory("poll");
    let instance = inotify::instance();
    let all = POLLIN | POLLOUT | POLLRDNORM;
    assert_eq!(poll::ready(&instance, all), 0);
    add(&instance, &path, IN_CREATE).unwrap();
    touch(&path, "a");
    assert_eq!(poll::ready(&instance, all), POLLIN | POLLRDNORM);
    instance.read(100).unwrap();
    assert_eq!(poll::ready(&instance, all), 0);
}

#[test]
fn a_blocked_read_gets_the_event() {
    let path = directory("blocked");
    let instance = inotify::init(0).unwrap();
    add(&instance, &path, IN_CREATE).unwrap();
    let child = child::spawn(|| {
        assert_eq!(inotify::parse(&instance.read(100).unwrap()), [named(1, IN_CREATE, "late")]);
    });
    thread::sleep(std::time::Duration::from_millis(20));
    touch(&path, "late");
    child.join();
}

#[test]
fn each_new_event_is_an_edge_and_a_repeated_one_is_not() {
    let path = directory("edges");
    let instance = inotify::instance();
    add(&instance, &path, IN_CREATE | IN_MODIFY).unwrap();
    let file = fd::open(&format!("{path}/f"), O_RDWR | O_CREAT, 0o600).unwrap();
    let epoll = Epoll::new();
    epoll.add(&instance, (EPOLLIN | EPOLLET) as u32, 7).unwrap();
    let edges = || epoll.now().len();
    assert_eq!(edges(), 1);
    assert_eq!(edges(), 0);
    file.write(b"x").unwrap();
    assert_eq!(edges(), 1);
    file.write(b"x").unwrap();
    assert_eq!(edges(), 0);
    touch(&path, "g");
    assert_eq!(edges(), 1);
}

#[test]
fn a_full_queue_says_once_that_it_overflowed() {
    const MOST: &str = "/proc/sys/fs/inotify/max_queued_events";
    let path = directory("overflow");
    let before = fs::read_to_string(MOST).unwrap();
    fs::write(MOST, "4\n").unwrap();
    let instance = inotify::instance();
    fs::write(MOST, before).unwrap();
    add(&instance, &path, IN_ALL_EVENTS).unwrap();
    for _ in 0..4 {
        touch(&path, "f");
    }
    let events = inotify::events(&instance);
    let masks: Vec<u32> = events.iter().map(|event| event.mask).collect();
    assert_eq!(masks, [IN_CREATE, IN_OPEN, libc::IN_CLOSE_WRITE, IN_OPEN, IN_Q_OVERFLOW]);
    assert_eq!(events[4], named(-1, IN_Q_OVERFLOW, ""));
    touch(&path, "f");
    assert_eq!(inotify::events(&instance).len(), 2);
}

#[test]
fn threads_lose_no_event() {
    let path = directory("threads");
    let instance = inotify::instance();
    add(&instance, &path, IN_CREATE | IN_DELETE).unwrap();
    thread::scope(|scope| {
        for thread in 0..3 {
            let path = &path;
            scope.spawn(move || {
                for number in 0..100 {
                    touch(path, &format!("{thread}-{number}"));
                    fs::remove_file(format!("{path}/{thread}-{number}")).unwrap();
                }
            });
        }
    });
    let events = inotify::events(&instance);
    assert_eq!(events.len(), 600);
    for thread in 0..3 {
        let start = format!("{thread}-");
        let own: Vec<_> = events.iter().filter(|event| event.name.starts_with(&start)).collect();
        assert!(own.chunks(2).all(|pair| pair[0].mask == IN_CREATE && pair[1].mask == IN_DELETE));
        assert!(own.chunks(2).all(|pair| pair[0].name == pair[1].name));
    }
}
