//! fork(2), vfork(2): making a process that begins as a copy of its parent.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, PAGE};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, fd, signal, sys};

#[test]
fn the_child_has_a_number_of_its_own_and_knows_its_parent() {
    let parent = sys::getpid();
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::getppid() }, parent);
        assert_eq!(sys::gettid(), sys::getpid());
        writer.write(&sys::getpid().to_ne_bytes()).unwrap();
    });
    let pid = child.pid();
    assert_ne!(pid, parent);
    assert_eq!(reader.read(4).unwrap(), pid.to_ne_bytes());
    child.join();
}

#[test]
fn what_one_writes_the_other_does_not_see() {
    static WORD: AtomicU32 = AtomicU32::new(1);
    let mut stack = 1_u32;
    let mut heap = vec![1_u8; 10 * PAGE];
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        assert_eq!((WORD.load(Ordering::Relaxed), stack, heap[5 * PAGE]), (1, 1, 1));
        WORD.store(2, Ordering::Relaxed);
        stack = 2;
        heap.fill(2);
        reader.read(1).unwrap();
        assert_eq!((WORD.load(Ordering::Relaxed), black_box(stack), heap[5 * PAGE]), (2, 2, 2));
    });
    WORD.store(3, Ordering::Relaxed);
    heap.fill(3);
    writer.write(b"x").unwrap();
    child.join();
    assert_eq!((WORD.load(Ordering::Relaxed), black_box(stack)), (3, 1));
    assert!(heap.iter().all(|byte| *byte == 3));
}

#[test]
fn a_grandchild_has_a_copy_of_the_copy() {
    let mut pages = vec![0_u8; 4 * PAGE];
    child::run(|| {
        pages[0] = 1;
        child::run(|| {
            assert_eq!((pages[0], pages[PAGE]), (1, 0));
            pages.fill(9);
        });
        assert_eq!((pages[0], pages[PAGE]), (1, 0));
    });
    assert!(pages.iter().all(|byte| *byte == 0));
}

#[test]
fn the_kernel_writes_into_the_writers_copy_only() {
    let (reader, writer) = fd::pipe();
    let buffer = memory::map(1).unwrap();
    // SAFETY: the page is ours in both processes.
    let read_into =
        |len| unsafe { sys::call(libc::SYS_read, [reader.number() as usize, buffer, len]) };
    // SAFETY: as above.
    let byte = || unsafe { (buffer as *const u8).read_volatile() };
    writer.write(b"ab").unwrap();
    assert_eq!(read_into(1), Ok(1));
    child::run(|| {
        assert_eq!(read_into(1), Ok(1));
        assert_eq!(byte(), b'b');
    });
    assert_eq!(byte(), b'a');
    memory::unmap(buffer, 1);
}

#[test]
fn both_share_the_open_files_and_their_offsets() {
    let flags = libc::O_CREAT | libc::O_TRUNC | libc::O_RDWR;
    let file = fd::open("/tmp/fork", flags, 0o600).unwrap();
    file.write(b"one").unwrap();
    child::run(|| {
        file.write(b" two").unwrap();
        fd::close(file.number()).unwrap();
    });
    file.write(b" three").unwrap();
    assert_eq!(std::fs::read("/tmp/fork").unwrap(), b"one two three");
}

#[test]
fn descriptors_made_afterwards_are_ones_own() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        reader.read(1).unwrap();
        let lowest = fd::eventfd(0, 0).unwrap();
        assert!(fd::fcntl(lowest.number() + 1, libc::F_GETFD, 0).is_err());
    });
    let _mine = [fd::eventfd(0, 0).unwrap(), fd::eventfd(0, 0).unwrap()];
    writer.write(b"x").unwrap();
    child.join();
}

#[test]
fn handlers_and_masks_are_inherited_but_not_pending_signals_or_timers() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::count(libc::SIGALRM, 0);
        signal::block(&[libc::SIGUSR2, libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        signal::alarm(ms(10));
        child::run(|| {
            assert!(signal::is_blocked(libc::SIGUSR2) && signal::is_blocked(libc::SIGUSR1));
            assert!(!signal::is_pending(libc::SIGUSR1));
            signal::unblock(&[libc::SIGUSR1]);
            assert_eq!(signal::seen(libc::SIGUSR1), 0);
            signal::raise(libc::SIGUSR1);
            assert_eq!(signal::seen(libc::SIGUSR1), 1);
            time::settle();
            assert_eq!(signal::seen(libc::SIGALRM), 0);
        });
        assert!(signal::is_pending(libc::SIGUSR1));
        assert_eq!(signal::seen(libc::SIGALRM), 1, "the parent's own timer ran");
    });
}

#[test]
fn only_the_forking_thread_goes_on_in_the_child() {
    let (reader, writer) = fd::pipe();
    let ticker = thread::spawn(move || {
        while writer.write(b"t").is_ok() {
            thread::sleep(ms(1))
        }
    });
    reader.read(1).unwrap();
    let (child_reader, child_writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
    child::run(|| {
        // In the child nobody ticks: what arrives in the shared pipe comes from the parent.
        assert_eq!(child_writer.write(b"x"), Ok(1));
        assert_eq!(child_reader.read(9).unwrap(), b"x");
        assert_eq!(sys::gettid(), sys::getpid());
    });
    drop(reader);
    ticker.join().unwrap();
}

#[test]
fn a_thread_may_fork_while_others_run() {
    thread::scope(|scope| {
        for code in 0..4 {
            scope.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(child::status(|| child::exit(code)), Status::Exited(code));
                }
            });
        }
    });
}

#[test]
fn a_hundred_children_live_at_the_same_time() {
    let (reader, writer) = fd::pipe();
    let children: Vec<_> = (0..100)
        .map(|_| {
            child::spawn(|| {
                fd::close(writer.number()).unwrap();
                assert_eq!(reader.read(1).unwrap(), b"");
            })
        })
        .collect();
    drop(writer);
    children.into_iter().for_each(child::Child::join);
}

#[test]
fn a_chain_of_generations_ends_at_the_first() {
    fn descend(depth: u32) {
        if depth > 0 {
            child::run(|| descend(depth - 1));
        }
    }
    descend(20);
}

#[test]
fn vfork_returns_in_the_parent_after_the_child_has_exited() {
    child::run(|| {
        let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
        let flags = (libc::CLONE_VFORK | libc::SIGCHLD) as usize;
        // SAFETY: without CLONE_VM the child has a copy of all memory.
        let pid = unsafe { sys::call(libc::SYS_clone, [flags]) }.unwrap();
        if pid == 0 {
            thread::sleep(ms(20));
            writer.write(b"first").unwrap();
            child::exit(0);
        }
        assert_eq!(reader.read(9).unwrap(), b"first");
        assert_eq!(child::wait4(pid as i32, 0), Ok(Some((pid as i32, 0))));
    });
}

#[test]
fn clone_refuses_what_does_not_go_together() {
    let clone = |flags: i32| {
        // SAFETY: each of these is refused.
        unsafe { sys::call(libc::SYS_clone, [flags as usize]) }
    };
    assert_eq!(clone(libc::CLONE_THREAD), Err(Errno::EINVAL));
    assert_eq!(clone(libc::CLONE_SIGHAND), Err(Errno::EINVAL));
    assert_eq!(clone(libc::CLONE_FS | libc::CLONE_NEWNS), Err(Errno::EINVAL));
}

#[test]
fn a_child_finds_its_own_id_where_the_parent_asked_for_it() {
    /// `CLONE_CHILD_SETTID`, `CLONE_CHILD_CLEARTID`.
    const FLAGS: [usize; 2] = [0x100_0000, 0x120_0000];
    for flags in FLAGS {
        child::run(|| {
            let mut id = 7_i32;
            let at = (&raw mut id).addr();
            // SAFETY: the child uses its own copy of the memory.
            let pid = unsafe {
                sys::call(libc::SYS_clone, [flags | libc::SIGCHLD as usize, 0, 0, at, 0])
            };
            if pid == Ok(0) {
                // SAFETY: the variable is ours; the kernel has written it.
                let found = unsafe { (&raw const id).read_volatile() };
                child::exit(i32::from(found != sys::getpid()));
            }
            let pid = pid.unwrap() as i32;
            let status = child::wait4(pid, 0).unwrap().unwrap();
            assert_eq!(status, (pid, 0));
            assert_eq!(id, 7);
        });
    }
}
