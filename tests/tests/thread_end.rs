//! exit_group(2), execve(2), kill(2): the end of processes with busy threads.

use std::ffi::CString;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::child::{self, Child, Status};
use pollux_tests::random::Random;
use pollux_tests::time::{ms, spin_until};
use pollux_tests::witness::{self, Constructor};
use pollux_tests::{Errno, sys};

/// This program answers questions when it is executed with one.
#[used]
#[unsafe(link_section = ".init_array")]
static ANSWER: Constructor = witness::answer;

/// Threads that do the same.
const CROWD: usize = 3;

/// The number of runs of each race.
const ROUNDS: usize = 60;

/// Longer than the end of a process can take, with other guests on the machine.
const LAST: Duration = Duration::from_secs(10);

/// Makes threads for ever, none of which ends.
fn multiply() -> ! {
    loop {
        // What there is no room for comes when there is.
        let _ = thread::Builder::new().stack_size(16 << 10).spawn(|| {
            loop {
                thread::park_timeout(ms(2));
            }
        });
    }
}

/// Lets a crowd of threads begin at the same time, with the one that calls.
fn together(work: impl Fn(usize) + Send + Sync + 'static) {
    let (work, barrier) = (Arc::new(work), Arc::new(Barrier::new(CROWD)));
    for number in 1..CROWD {
        let (work, barrier) = (work.clone(), barrier.clone());
        thread::spawn(move || {
            barrier.wait();
            work(number);
        });
    }
    barrier.wait();
    work(0);
}

/// Waits for the end of a child, but not for ever.
#[track_caller]
fn must_end(child: Child) -> Status {
    let start = Instant::now();
    loop {
        let found = child::peek(child.pid());
        if found {
            return child.wait();
        }
        if start.elapsed() > LAST {
            // Its destructor would wait for it.
            core::mem::forget(child);
            panic!("the process does not end");
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// Computes for some time.
fn pass(random: &mut Random) {
    let end = Instant::now() + Duration::from_micros(random.below(3000) as u64);
    spin_until(|| Instant::now() >= end);
}

#[test]
fn a_process_that_makes_threads_can_be_killed() {
    let mut random = Random::new(1);
    for _ in 0..ROUNDS {
        let child = child::spawn(|| together(|_| multiply()));
        pass(&mut random);
        child.kill(libc::SIGKILL);
        assert_eq!(must_end(child), Status::Killed(libc::SIGKILL));
    }
}

#[test]
fn a_process_that_makes_threads_can_exit() {
    for seed in 0..ROUNDS {
        let child = child::spawn(move || {
            let mut random = Random::new(seed as u64);
            thread::spawn(|| together(|_| multiply()));
            pass(&mut random);
            child::exit(3);
        });
        assert_eq!(must_end(child), Status::Exited(3));
    }
}

#[test]
fn a_process_that_makes_threads_can_run_another_program() {
    for seed in 0..ROUNDS {
        let child = child::spawn(move || {
            let mut random = Random::new(seed as u64);
            thread::spawn(|| together(|_| multiply()));
            pass(&mut random);
            execute();
        });
        assert_eq!(must_end(child), Status::Exited(0));
    }
}

#[test]
fn of_threads_that_run_another_program_at_the_same_time_one_does() {
    for _ in 0..ROUNDS {
        let child = child::spawn(|| {
            together(|_| {
                execute();
                // For the others there is nothing more to do: the kernel ends them.
                thread::park();
            });
        });
        assert_eq!(must_end(child), Status::Exited(0));
    }
}

/// Runs a program that does nothing.
fn execute() {
    let path = CString::new(std::env::args().next().unwrap()).unwrap();
    let question = c"POLLUX_WITNESS=0";
    let (argv, envp) = ([path.as_ptr() as usize, 0], [question.as_ptr() as usize, 0]);
    let arguments = [path.as_ptr() as usize, argv.as_ptr() as usize, envp.as_ptr() as usize];
    // SAFETY: the kernel only reads; on success nothing of this process is left.
    let errno = unsafe { sys::call(libc::SYS_execve, arguments) }.unwrap_err();
    assert_eq!(errno, Errno::EAGAIN);
}
