//! sched_setscheduler(2), sched_setparam(2), sched_setattr(2), sched_getattr(2), sched_rr_get_interval(2): policies.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, limit, sys};

const RESET: i32 = 0x4000_0000;

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: what the kernel reads and writes is the caller's.
    unsafe { sys::call(number, arguments) }
}

fn set(tid: i32, policy: i32, priority: i32) -> Result<usize> {
    let priority = &raw const priority;
    call(libc::SYS_sched_setscheduler, [tid as usize, policy as usize, priority.addr()])
}

fn set_priority(tid: i32, priority: i32) -> Result<usize> {
    call(libc::SYS_sched_setparam, [tid as usize, (&raw const priority).addr()])
}

/// Returns policy and priority.
fn get(tid: i32) -> Result<(usize, i32)> {
    let mut priority = -1_i32;
    let policy = call(libc::SYS_sched_getscheduler, [tid as usize])?;
    call(libc::SYS_sched_getparam, [tid as usize, (&raw mut priority).addr()])?;
    Ok((policy, priority))
}

/// `struct sched_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Attr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    deadline: [u64; 3],
    clamps: [u32; 2],
    unknown: u64,
}

fn set_attr(tid: i32, attr: &Attr) -> Result<usize> {
    call(libc::SYS_sched_setattr, [tid as usize, (&raw const *attr).addr(), 0])
}

fn get_attr(tid: i32) -> Attr {
    let mut attr = Attr::default();
    let arguments = [tid as usize, (&raw mut attr).addr(), size_of::<Attr>(), 0];
    assert_eq!(call(libc::SYS_sched_getattr, arguments), Ok(0));
    attr
}

fn become_user() {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::setuid(1234) }, 0);
}

/// Keeps the process on one CPU.
fn stay() {
    let one = 1_u64;
    assert_eq!(call(libc::SYS_sched_setaffinity, [0, 8, (&raw const one).addr()]), Ok(0));
}

#[test]
fn policies_are_kept_and_inherited() {
    child::run(|| {
        assert_eq!(get(0), Ok((0, 0)));
        for (policy, priority) in [(1, 1), (1, 99), (2, 50), (3, 0), (5, 0), (0, 0)] {
            assert_eq!(set(0, policy, priority), Ok(0));
            assert_eq!(get(0), Ok((policy as usize, priority)));
            child::run(|| assert_eq!(get(0), Ok((policy as usize, priority))));
        }
        assert_eq!(set(0, 2, 7), Ok(0));
        assert_eq!(set_priority(0, 8), Ok(0));
        assert_eq!(get(0), Ok((2, 8)));
        assert_eq!(set_priority(0, 0), Err(Errno::EINVAL));
    });
}

#[test]
fn a_child_of_one_that_resets_is_an_ordinary_one() {
    child::run(|| {
        assert_eq!(set(0, 1 | RESET, 7), Ok(0));
        assert_eq!(get(0), Ok(((1 | RESET) as usize, 7)));
        child::run(|| assert_eq!(get(0), Ok((0, 0))));
        let attr = Attr { size: 48, policy: 3, flags: 1, nice: -7, ..Attr::default() };
        assert_eq!(set_attr(0, &attr), Ok(0));
        child::run(|| {
            let own = get_attr(0);
            assert_eq!((own.policy, own.nice, own.flags), (3, 0, 0));
        });
    });
}

#[test]
fn wrong_arguments_are_refused() {
    for (policy, priority) in [(0, 1), (1, 0), (2, 100), (4, 0), (7, 0), (5, 1), (3, 1), (1, -1)] {
        assert_eq!(set(0, policy, priority), Err(Errno::EINVAL), "{policy} {priority}");
    }
    assert_eq!(set(-1, 0, 0), Err(Errno::EINVAL));
    assert_eq!(set(0, -1, 0), Err(Errno::EINVAL));
    assert_eq!(set(i32::MAX, 4, 0), Err(Errno::ESRCH));
    assert_eq!(call(libc::SYS_sched_setscheduler, [0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(
        call(libc::SYS_sched_setscheduler, [i32::MAX as usize, 0, UNMAPPED]),
        Err(Errno::EFAULT)
    );
    assert_eq!(set_priority(-1, 0), Err(Errno::EINVAL));
    assert_eq!(get(-1), Err(Errno::EINVAL));
    assert_eq!(get(i32::MAX), Err(Errno::ESRCH));
    assert_eq!(call(libc::SYS_sched_getparam, [0, 0]), Err(Errno::EINVAL));
    assert_eq!(call(libc::SYS_sched_getparam, [0, UNMAPPED]), Err(Errno::EFAULT));
    for (policy, least, most) in
        [(0, 0, 0), (1, 1, 99), (2, 1, 99), (3, 0, 0), (5, 0, 0), (6, 0, 0)]
    {
        assert_eq!(call(libc::SYS_sched_get_priority_min, [policy]), Ok(least));
        assert_eq!(call(libc::SYS_sched_get_priority_max, [policy]), Ok(most));
    }
    assert_eq!(call(libc::SYS_sched_get_priority_min, [4]), Err(Errno::EINVAL));
    assert_eq!(call(libc::SYS_sched_get_priority_max, [usize::MAX]), Err(Errno::EINVAL));
}

#[test]
fn attributes_are_a_structure_that_may_grow() {
    child::run(|| {
        let ordinary = get_attr(0);
        assert_eq!((ordinary.size, ordinary.policy, ordinary.nice), (56, 0, 0));
        let attr = Attr { size: 48, policy: 0, nice: 12, ..Attr::default() };
        assert_eq!(set_attr(0, &attr), Ok(0));
        assert_eq!(get_attr(0).nice, 12);
        let attr =
            Attr { size: size_of::<Attr>() as u32, policy: 2, priority: 9, ..Attr::default() };
        assert_eq!(set_attr(0, &attr), Ok(0));
        assert_eq!(get(0), Ok((2, 9)));
        // The policy is kept, then the parameters.
        let keeps = Attr { size: 0, flags: 0x8, priority: 11, ..Attr::default() };
        assert_eq!(set_attr(0, &keeps), Ok(0));
        assert_eq!(get(0), Ok((2, 11)));
        // With the parameters the policy is kept as well.
        let keeps = Attr { size: 56, policy: 1, flags: 0x10, ..Attr::default() };
        assert_eq!(set_attr(0, &keeps), Ok(0));
        assert_eq!(get(0), Ok((2, 11)));
        let mut unknown = Attr { size: size_of::<Attr>() as u32, unknown: 1, ..Attr::default() };
        let at = (&raw mut unknown).addr();
        assert_eq!(call(libc::SYS_sched_setattr, [0, at, 0]), Err(Errno::E2BIG));
        assert_eq!(std::hint::black_box(&unknown).size, 56);
        unknown.size = 40;
        assert_eq!(set_attr(0, &unknown), Err(Errno::E2BIG));
        let wrong = Attr { size: 48, flags: 0x80, ..Attr::default() };
        assert_eq!(set_attr(0, &wrong), Err(Errno::EINVAL));
        assert_eq!(set_attr(-1, &wrong), Err(Errno::EINVAL));
        let wrong = Attr { size: 48, policy: u32::MAX, ..Attr::default() };
        assert_eq!(set_attr(i32::MAX, &wrong), Err(Errno::EINVAL));
        assert_eq!(set_attr(i32::MAX, &keeps), Err(Errno::ESRCH));
    });
    let call = |tid: i32, at: usize, size: usize, flags: usize| {
        call(libc::SYS_sched_getattr, [tid as usize, at, size, flags])
    };
    let mut attr = Attr::default();
    let at = (&raw mut attr).addr();
    assert_eq!(call(0, at, 47, 0), Err(Errno::EINVAL));
    assert_eq!(call(0, at, 4097, 0), Err(Errno::EINVAL));
    assert_eq!(call(0, at, 48, 1), Err(Errno::EINVAL));
    assert_eq!(call(-1, at, 48, 0), Err(Errno::EINVAL));
    assert_eq!(call(i32::MAX, at, 48, 0), Err(Errno::ESRCH));
    assert_eq!(call(0, UNMAPPED, 48, 0), Err(Errno::EFAULT));
}

#[test]
fn users_need_a_limit_for_real_time() {
    child::run(|| {
        limit::set(libc::RLIMIT_RTPRIO, 10, 10).unwrap();
        become_user();
        assert_eq!(set(1, 0, 0), Err(Errno::EPERM), "another user's");
        assert_eq!(set(0, 1, 11), Err(Errno::EPERM));
        assert_eq!(set(0, 1, 10), Ok(0));
        limit::lower(libc::RLIMIT_RTPRIO, 0);
        assert_eq!(set_priority(0, 9), Ok(0));
        assert_eq!(set_priority(0, 10), Err(Errno::EPERM));
        assert_eq!(set(0, 2, 1), Err(Errno::EPERM));
        assert_eq!(set(0, 0, 0), Ok(0));
        assert_eq!(set(0, 1, 1), Err(Errno::EPERM));
        assert_eq!(set(0, 3, 0), Ok(0));
        assert_eq!(set(0, 5, 0), Ok(0));
        assert_eq!(
            set(0, 0, 0),
            Err(Errno::EPERM),
            "idle is a nice value that RLIMIT_NICE forbids"
        );
    });
    child::run(|| {
        become_user();
        assert_eq!(set(0, 3 | RESET, 0), Ok(0));
        assert_eq!(set(0, 3, 0), Err(Errno::EPERM));
        assert_eq!(set(0, RESET, 0), Ok(0));
    });
}

#[test]
fn a_round_robin_thread_has_a_slice() {
    child::run(|| {
        let interval = |tid: i32| {
            let mut slice = [-1_i64; 2];
            let result =
                call(libc::SYS_sched_rr_get_interval, [tid as usize, slice.as_mut_ptr().addr()]);
            result.map(|_| Duration::new(slice[0] as u64, slice[1] as u32))
        };
        assert!(interval(0).is_ok_and(|slice| slice < Duration::from_secs(1)));
        assert_eq!(set(0, 2, 1), Ok(0));
        assert_eq!(interval(0), Ok(Duration::from_millis(100)));
        assert_eq!(set(0, 1, 1), Ok(0));
        assert_eq!(interval(0), Ok(Duration::ZERO));
        assert_eq!(interval(-1), Err(Errno::EINVAL));
        assert_eq!(interval(i32::MAX), Err(Errno::ESRCH));
        assert_eq!(call(libc::SYS_sched_rr_get_interval, [0, UNMAPPED]), Err(Errno::EFAULT));
    });
}

#[test]
fn the_greatest_priority_runs_first() {
    child::run(|| {
        stay();
        assert_eq!(set(0, 1, 50), Ok(0));
        // Three threads that wait for the CPU, and write their priorities in the order in which they get it.
        let order: &'static [AtomicU32; 4] = Box::leak(Box::default());
        let threads: Vec<_> = [10, 30, 20]
            .map(|priority| {
                thread::spawn(move || {
                    assert_eq!(set(0, 1, priority), Ok(0));
                    let place = order[0].fetch_add(1, Ordering::SeqCst) as usize;
                    order[place + 1].store(priority as u32, Ordering::SeqCst);
                })
            })
            .into();
        // Each inherits the priority, runs when this one sleeps, and lowers its own.
        assert_eq!(order[0].load(Ordering::SeqCst), 0);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(order.each_ref().map(|value| value.load(Ordering::SeqCst)), [3, 30, 20, 10]);
    });
}

#[test]
fn a_thread_that_is_raised_preempts() {
    child::run(|| {
        stay();
        assert_eq!(set(0, 1, 50), Ok(0));
        let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
        let low = child::spawn(|| {
            assert_eq!(set(0, 0, 0), Ok(0));
            assert_eq!(writer.write(b"x"), Ok(1));
        });
        assert_eq!(call(libc::SYS_sched_yield, []), Ok(0));
        assert_eq!(reader.read(1), Err(Errno::EAGAIN), "it has lost the CPU");
        assert_eq!(set(low.pid(), 1, 51), Ok(0));
        assert_eq!(reader.read(1), Ok(b"x".to_vec()));
        low.join();
    });
}

#[test]
fn proc_shows_the_policy() {
    child::run(|| {
        let fields = || {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
            let rest: Vec<_> =
                stat.rsplit(") ").next().unwrap().split(' ').map(String::from).collect();
            [15, 16, 37, 38].map(|field| rest[field].parse::<i32>().unwrap())
        };
        assert_eq!(fields(), [20, 0, 0, 0]);
        assert_eq!(set(0, 1, 7), Ok(0));
        assert_eq!(fields(), [-8, 0, 7, 1]);
    });
}
