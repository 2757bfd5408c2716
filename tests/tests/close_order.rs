//! exit(2), execve(2), close_range(2), kill(2): the order in which an epoll sees that many descriptors are closed at
//! once. Linux ends files in the reverse of the order in which they lost their last descriptors.

use libc::{EPOLLET, EPOLLIN, F_SETFD, FD_CLOEXEC, SIGKILL};
use pollux_tests::child;
use pollux_tests::epoll::Epoll;
use pollux_tests::fd::{self, Fd};
use pollux_tests::sys;

const PIPES: usize = 5;

/// Has a child do `close` with one end of each of five pipes, and returns the order in which the other ends hear of it.
/// A child that goes on after it sleeps until it is killed.
fn order(close: impl FnOnce(&mut Vec<Fd>)) -> Vec<u64> {
    let (readers, mut writers): (Vec<Fd>, Vec<Fd>) = (0..PIPES).map(|_| fd::pipe()).unzip();
    let (ready, go) = fd::pipe();
    let (alive, _end) = fd::pipe();
    let child = {
        let (writers, go) = (&mut writers, &go);
        child::spawn(move || {
            fd::close(go.number()).unwrap();
            assert_eq!(ready.read(1), Ok(vec![]));
            close(writers);
            let _ = alive.read(1);
        })
    };
    let epoll = Epoll::new();
    for (reader, nr) in readers.iter().zip(0..) {
        epoll.add(reader, (EPOLLIN | EPOLLET) as u32, nr).unwrap();
    }
    drop(writers);
    drop(go);
    let mut seen = Vec::new();
    while seen.len() < PIPES {
        seen.extend(epoll.wait(PIPES, -1).unwrap().iter().map(|event| event.data));
    }
    drop(child);
    seen
}

fn exec() {
    let path = std::env::current_exe().unwrap();
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let list = c"--list";
    let arguments = [path.as_ptr(), list.as_ptr(), std::ptr::null()];
    // SAFETY: the strings and the array of them live until the call is over.
    unsafe { libc::execv(path.as_ptr(), arguments.as_ptr()) };
    panic!("{:?}", pollux_tests::memory::last_error());
}

#[test]
fn one_after_the_other_they_end_as_they_are_closed() {
    assert_eq!(order(|writers| writers.drain(..).for_each(drop)), [0, 1, 2, 3, 4]);
}

#[test]
fn the_end_of_a_process_closes_the_last_first() {
    assert_eq!(order(|_| child::exit(0)), [4, 3, 2, 1, 0]);
}

#[test]
fn a_killed_process_closes_the_last_first() {
    assert_eq!(
        order(|_| pollux_tests::signal::send(sys::getpid(), SIGKILL).unwrap()),
        [4, 3, 2, 1, 0]
    );
}

#[test]
fn another_program_closes_the_last_first() {
    let seen = order(|writers| {
        for writer in writers {
            writer.fcntl(F_SETFD, FD_CLOEXEC as usize).unwrap();
        }
        exec();
    });
    assert_eq!(seen, [4, 3, 2, 1, 0]);
}

#[test]
fn close_range_closes_the_last_first() {
    let seen = order(|writers| {
        // SAFETY: no memory is involved, and no descriptor of anybody else is in the range for long: this is a child.
        unsafe {
            sys::call(libc::SYS_close_range, [writers[0].number() as usize, 1000, 0]).unwrap()
        };
        loop {
            std::thread::park();
        }
    });
    assert_eq!(seen, [4, 3, 2, 1, 0]);
}

#[test]
fn a_duplicate_counts_where_it_is_last() {
    let seen = order(|writers| {
        let twin = writers[1].dup().unwrap();
        assert!(twin.number() > writers[4].number());
        twin.into_number();
        child::exit(0)
    });
    assert_eq!(seen, [1, 4, 3, 2, 0]);
}
