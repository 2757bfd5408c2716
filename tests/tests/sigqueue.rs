//! sigqueue(3), rt_sigqueueinfo(2), pidfd_send_signal(2): signals that carry a value, their order, and what a sender
//! may claim about itself.

use libc::{RLIMIT_SIGPENDING, SIGUSR1};
use pollux_tests::child::{self, Child};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, limit, signal, sys};

const SI_USER: i32 = 0;
const SI_QUEUE: i32 = -1;
const SI_TKILL: i32 = -6;
const SI_KERNEL: i32 = 0x80;

/// `siginfo_t`, by words of four bytes.
type Info = [i32; 32];

/// Makes the words of a `siginfo_t`: number, error number, code, sender, user, value.
fn info(number: i32, code: i32, value: i32) -> Info {
    let mut info = [0; 32];
    info[..7].copy_from_slice(&[number, 77, code, 0, 4711, 12, value]);
    info
}

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: what the kernel writes is the caller's.
    unsafe { sys::call(number, arguments) }
}

fn queue(pid: i32, number: i32, info: &Info) -> Result<usize> {
    call(libc::SYS_rt_sigqueueinfo, [pid as usize, number as usize, info.as_ptr().addr()])
}

fn queue_to_thread(pid: i32, tid: i32, number: i32, info: &Info) -> Result<usize> {
    let arguments = [pid as usize, tid as usize, number as usize, info.as_ptr().addr()];
    call(libc::SYS_rt_tgsigqueueinfo, arguments)
}

/// Takes one of these signals, which are blocked.
fn take(signals: &[i32]) -> Result<Info> {
    let set = signal::mask(signals);
    let mut info = [-1; 32];
    let none = [0_u64; 2];
    let arguments = [(&raw const set).addr(), info.as_mut_ptr().addr(), none.as_ptr().addr(), 8];
    call(libc::SYS_rt_sigtimedwait, arguments)?;
    Ok(info)
}

fn sleeping() -> Child {
    child::spawn(|| {
        loop {
            std::thread::park();
        }
    })
}

fn real_time() -> i32 {
    libc::SIGRTMIN()
}

#[test]
fn what_is_sent_arrives() {
    child::run(|| {
        for number in [SIGUSR1, real_time()] {
            signal::block(&[number]);
            let mut sent = info(number, SI_QUEUE, 5);
            assert_eq!(queue(sys::getpid(), number, &sent), Ok(0));
            assert_eq!(take(&[number]), Ok(sent));
            // The number in the structure is not looked at.
            sent[0] = 1;
            assert_eq!(queue_to_thread(sys::getpid(), sys::gettid(), number, &sent), Ok(0));
            sent[0] = number;
            assert_eq!(take(&[number]), Ok(sent));
            assert_eq!(take(&[number]), Err(Errno::EAGAIN));
        }
    });
}

#[test]
fn only_to_oneself_one_may_claim_to_be_the_kernel() {
    child::run(|| {
        let other = sleeping();
        let number = real_time();
        signal::block(&[number]);
        for code in [SI_USER, SI_KERNEL, 1, SI_TKILL] {
            let lie = info(number, code, 0);
            assert_eq!(queue(other.pid(), number, &lie), Err(Errno::EPERM), "{code}");
            let to_thread = queue_to_thread(other.pid(), other.pid(), number, &lie);
            assert_eq!(to_thread, Err(Errno::EPERM), "{code}");
            assert_eq!(queue(i32::MAX, number, &lie), Err(Errno::EPERM), "{code}");
            assert_eq!(queue(sys::gettid(), number, &lie), Ok(0), "{code}");
            assert_eq!(take(&[number]).unwrap()[2], code);
        }
        for code in [SI_QUEUE, -2, -3, -7, -60, i32::MIN] {
            let told = info(0, code, 0);
            assert_eq!(queue(other.pid(), 0, &told), Ok(0), "{code}");
            assert_eq!(queue(i32::MAX, number, &told), Err(Errno::ESRCH), "{code}");
        }
    });
}

#[test]
fn what_no_signal_has_room_for_is_refused() {
    child::run(|| {
        let number = real_time();
        signal::block(&[number]);
        let mut long = info(number, -8, 0);
        assert_eq!(queue(sys::getpid(), number, &long), Ok(0));
        long[31] = 1;
        assert_eq!(queue(sys::getpid(), number, &long), Err(Errno::E2BIG));
        // Where the kernel knows what there is, it does not look behind it, and does not pass it on.
        long[2] = SI_QUEUE;
        assert_eq!(queue(sys::getpid(), number, &long), Ok(0));
        assert_eq!(take(&[number]).unwrap()[31], 0);
    });
}

#[test]
fn wrong_arguments_are_refused() {
    let plain = info(SIGUSR1, SI_QUEUE, 0);
    let own = sys::getpid();
    assert_eq!(queue(own, 65, &plain), Err(Errno::EINVAL));
    assert_eq!(queue(own, -1, &plain), Err(Errno::EINVAL));
    assert_eq!(queue(i32::MAX, 65, &plain), Err(Errno::ESRCH));
    assert_eq!(call(libc::SYS_rt_sigqueueinfo, [own as usize, 65, UNMAPPED]), Err(Errno::EFAULT));
    assert_eq!(queue_to_thread(0, own, SIGUSR1, &plain), Err(Errno::EINVAL));
    assert_eq!(queue_to_thread(own, 0, SIGUSR1, &plain), Err(Errno::EINVAL));
    assert_eq!(queue_to_thread(1, sys::gettid(), SIGUSR1, &plain), Err(Errno::ESRCH));
    let at = [own as usize, sys::gettid() as usize, SIGUSR1 as usize, UNMAPPED];
    assert_eq!(call(libc::SYS_rt_tgsigqueueinfo, at), Err(Errno::EFAULT));
}

#[test]
fn the_lowest_number_comes_first_and_then_the_oldest() {
    child::run(|| {
        let numbers = [0, 1, 2].map(|more| real_time() + more);
        signal::block(&numbers);
        for (number, value) in [(2, 1), (0, 2), (1, 3), (0, 4), (2, 5), (0, 6)] {
            let number = numbers[number];
            queue(sys::getpid(), number, &info(number, SI_QUEUE, value)).unwrap();
        }
        let order: Vec<_> = (0..6).map(|_| take(&numbers).unwrap()[6]).collect();
        assert_eq!(order, [2, 4, 6, 3, 1, 5]);
    });
}

#[test]
fn what_is_sent_to_the_thread_comes_before_what_is_sent_to_the_process() {
    child::run(|| {
        let number = real_time();
        signal::block(&[number]);
        queue(sys::getpid(), number, &info(number, SI_QUEUE, 1)).unwrap();
        queue_to_thread(sys::getpid(), sys::gettid(), number, &info(number, SI_QUEUE, 2)).unwrap();
        assert_eq!([(); 2].map(|()| take(&[number]).unwrap()[6]), [2, 1]);
    });
}

#[test]
fn the_queue_has_a_limit() {
    child::run(|| {
        // A user who has no other signals.
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(54_000) }, 0);
        let number = real_time();
        let own = sys::getpid();
        signal::block(&[number, number + 1, SIGUSR1]);
        limit::set(RLIMIT_SIGPENDING, 3, 3).unwrap();
        let plain = info(number, SI_QUEUE, 0);
        for _ in 0..3 {
            assert_eq!(queue(own, number, &plain), Ok(0));
        }
        assert_eq!(queue(own, number, &plain), Err(Errno::EAGAIN));
        assert_eq!(queue(own, SIGUSR1, &plain), Ok(0), "others are never too many");
        assert_eq!(take(&[SIGUSR1]).map(|info| info[0]), Ok(SIGUSR1));
        // kill(2) tells nobody that what it had to say is lost.
        assert_eq!(signal::send(own, number + 1), Ok(()));
        assert!(signal::is_pending(number + 1));
        take(&[number]).unwrap();
        assert_eq!(queue(own, number, &plain), Ok(0));
        assert_eq!(queue(own, number, &plain), Err(Errno::EAGAIN));
    });
}

#[test]
fn who_claims_to_be_a_timer_is_queued_like_others() {
    const SI_TIMER: i32 = -2;
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(54_001) }, 0);
        let number = real_time();
        let own = sys::getpid();
        signal::block(&[number]);
        limit::set(RLIMIT_SIGPENDING, 3, 3).unwrap();
        let claim = info(number, SI_TIMER, 5);
        for _ in 0..3 {
            assert_eq!(queue(own, number, &claim), Ok(0));
        }
        assert_eq!(queue(own, number, &claim), Err(Errno::EAGAIN));
        for _ in 0..3 {
            assert_eq!(take(&[number]).map(|info| info[2]), Ok(SI_TIMER));
        }
        assert!(!signal::is_pending(number));
    });
}

#[test]
fn through_a_descriptor_the_same_rules_hold() {
    child::run(|| {
        let other = sleeping();
        let open = |pid: i32| call(libc::SYS_pidfd_open, [pid as usize, 0]).unwrap();
        let (own, others) = (open(sys::getpid()), open(other.pid()));
        let number = real_time();
        signal::block(&[number]);
        let send = |fd: usize, number: i32, info: &Info| {
            call(libc::SYS_pidfd_send_signal, [fd, number as usize, info.as_ptr().addr(), 0])
        };
        let told = info(number, SI_QUEUE, 3);
        assert_eq!(send(own, number, &told), Ok(0));
        assert_eq!(take(&[number]), Ok(told));
        assert_eq!(send(own, SIGUSR1, &told), Err(Errno::EINVAL), "another number");
        assert_eq!(send(own, number, &info(number, SI_KERNEL, 3)), Ok(0));
        assert_eq!(send(others, number, &info(number, SI_KERNEL, 3)), Err(Errno::EPERM));
        assert_eq!(send(others, number, &info(number, SI_TKILL, 3)), Err(Errno::EPERM));
        assert_eq!(send(others, 0, &info(0, SI_QUEUE, 3)), Ok(0));
        assert_eq!(send(others, 0, &told), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_pidfd_send_signal, [own, 0, UNMAPPED, 0]), Err(Errno::EFAULT));
        assert_eq!(call(libc::SYS_pidfd_send_signal, [own, 0, 0, 1]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_pidfd_send_signal, [own, 65, 0, 0]), Err(Errno::EINVAL));
        child::run(|| {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::setuid(1234) }, 0);
            assert_eq!(send(others, 0, &info(0, SI_QUEUE, 3)), Err(Errno::EPERM));
        });
    });
}
