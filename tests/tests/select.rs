//! select(2), pselect(2): waiting for any of three sets of descriptors.

use std::time::Duration;

use pollux_tests::memory::{PAGE, Pages, UNMAPPED};
use pollux_tests::select::{FdSet, Sets, pselect, select};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, limit, signal, sys};

const ZERO: Option<Duration> = Some(Duration::ZERO);

fn members(set: &Option<FdSet>) -> Vec<i32> {
    set.as_ref().unwrap().members()
}

/// Calls select(2) with raw arguments.
fn raw(arguments: [usize; 5]) -> sys::Result<usize> {
    // SAFETY: the tests pass addresses that are theirs or nobody's.
    unsafe { sys::call(libc::SYS_select, arguments) }
}

#[test]
fn the_count_is_of_bits_in_all_sets() {
    let event = fd::eventfd(1, 0).unwrap();
    let (reader, writer) = fd::pipe();
    let all = [event.number(), reader.number(), writer.number()];
    let set = Some(FdSet::of(&all));
    let mut sets = Sets { read: set.clone(), write: set.clone(), except: set };
    assert_eq!(select(writer.number() + 1, &mut sets, ZERO).0, Ok(3));
    assert_eq!(members(&sets.read), [event.number()]);
    assert_eq!(members(&sets.write), [event.number(), writer.number()]);
    assert_eq!(members(&sets.except), []);
}

#[test]
fn end_of_file_is_readable_and_a_broken_pipe_is_both() {
    let (reader, writer) = fd::pipe();
    drop(writer);
    let mut sets = Sets::reading(&[reader.number()]);
    assert_eq!(select(reader.number() + 1, &mut sets, None).0, Ok(1));

    let (reader, writer) = fd::pipe();
    drop(reader);
    let set = Some(FdSet::of(&[writer.number()]));
    let mut sets = Sets { read: set.clone(), write: set.clone(), except: set };
    assert_eq!(select(writer.number() + 1, &mut sets, ZERO).0, Ok(2));
    assert_eq!(members(&sets.except), []);
}

#[test]
fn descriptors_from_nfds_on_are_not_looked_at() {
    let event = fd::eventfd(1, 0).unwrap();
    let mut sets = Sets::reading(&[event.number()]);
    assert_eq!(select(event.number(), &mut sets, ZERO).0, Ok(0));
}

#[test]
fn only_the_words_up_to_nfds_are_written() {
    let event = fd::eventfd(0, 0).unwrap();
    assert!(event.number() < 60, "few descriptors are open");
    let mut sets = Sets::reading(&[event.number(), 63, 64, 200]);
    assert_eq!(select(event.number() + 1, &mut sets, ZERO).0, Ok(0));
    assert_eq!(members(&sets.read), [64, 200]);
}

#[test]
fn nfds_zero_or_no_sets_make_a_sleep() {
    let mut sets = Sets::reading(&[0, 1, 2]);
    let (result, left) = time::at_least(ms(20), || select(0, &mut sets, Some(ms(20))));
    assert_eq!((result, left), (Ok(0), ZERO));
    assert_eq!(members(&sets.read), [0, 1, 2]);
    assert_eq!(time::at_least(ms(20), || select(9, &mut Sets::default(), Some(ms(20)))).0, Ok(0));
}

#[test]
fn a_timeout_clears_the_sets() {
    let (reader, _writer) = fd::pipe();
    let mut sets = Sets::reading(&[reader.number()]);
    sets.except = sets.read.clone();
    let wait = || select(reader.number() + 1, &mut sets, Some(ms(20)));
    assert_eq!(time::at_least(ms(20), wait), (Ok(0), ZERO));
    assert_eq!(members(&sets.read), []);
    assert_eq!(members(&sets.except), []);
}

#[test]
fn an_event_ends_the_wait_and_leaves_the_remaining_time() {
    let (reader, writer) = fd::pipe();
    let write = time::soon(move || writer.write(b"x").map(|_| writer));
    let mut sets = Sets::reading(&[reader.number()]);
    let hundred = Duration::from_secs(100);
    let wait = || select(reader.number() + 1, &mut sets, Some(hundred));
    assert_eq!(time::remaining(hundred, wait).0, Ok(1));
    assert_eq!(members(&sets.read), [reader.number()]);
    write.join().unwrap().unwrap();
}

#[test]
fn without_a_timeout_it_waits_for_space() {
    let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
    writer.write(&[0; 16 * PAGE]).unwrap();
    let read = time::soon(move || reader.read(PAGE).map(|_| reader));
    let mut sets = Sets::writing(&[writer.number()]);
    assert_eq!(select(writer.number() + 1, &mut sets, None), (Ok(1), None));
    read.join().unwrap().unwrap();
}

#[test]
fn a_negative_nfds_is_einval() {
    assert_eq!(select(-1, &mut Sets::default(), ZERO).0, Err(Errno::EINVAL));
    assert_eq!(select(i32::MIN, &mut Sets::default(), ZERO).0, Err(Errno::EINVAL));
}

#[test]
fn a_number_that_is_not_open_is_ebadf_and_leaves_the_sets_alone() {
    let event = fd::eventfd(1, 0).unwrap();
    let mut sets = Sets::reading(&[event.number(), event.number() + 1]);
    let before = sets.read.clone();
    let timeout = Some(Duration::from_secs(1));
    assert_eq!(select(event.number() + 2, &mut sets, timeout).0, Err(Errno::EBADF));
    assert_eq!(sets.read, before);
}

#[test]
fn nfds_is_clamped_to_the_capacity_of_the_descriptor_table() {
    child::run(|| {
        // A table that never held more than a few numbers has a capacity of 64 or 256.
        let mut sets = Sets { read: Some(FdSet::new(100_000, &[99_999])), ..Sets::default() };
        assert_eq!(select(100_000, &mut sets, ZERO).0, Ok(0));
        assert_eq!(members(&sets.read), [99_999]);
        assert_eq!(select(i32::MAX, &mut sets, ZERO).0, Ok(0));
        assert_eq!(members(&sets.read), [99_999]);
    });
}

#[test]
fn it_reaches_beyond_fd_setsize() {
    child::run(|| {
        limit::lower(libc::RLIMIT_NOFILE, 4096);
        let event = fd::eventfd(1, 0).unwrap();
        assert_eq!(fd::dup2(event.number(), 3000), Ok(3000));
        let high = Fd::from_number(3000);
        let mut sets = Sets { read: Some(FdSet::new(4096, &[3000])), ..Sets::default() };
        assert_eq!(select(3001, &mut sets, ZERO).0, Ok(1));
        assert_eq!(members(&sets.read), [3000]);
        high.read_u64().unwrap();
        let child = child::spawn(|| {
            time::settle();
            event.write_u64(1).unwrap();
        });
        assert_eq!(select(3001, &mut sets, None).0, Ok(1));
        assert_eq!(members(&sets.read), [3000]);
        child.join();
    });
}

#[test]
fn a_bad_set_or_timeout_address_is_efault() {
    let zero = [0_i64; 2].as_ptr() as usize;
    assert_eq!(raw([1, UNMAPPED, 0, 0, zero]), Err(Errno::EFAULT));
    assert_eq!(raw([1, 0, UNMAPPED, 0, zero]), Err(Errno::EFAULT));
    assert_eq!(raw([1, 0, 0, UNMAPPED, zero]), Err(Errno::EFAULT));
    assert_eq!(raw([0, 0, 0, 0, UNMAPPED]), Err(Errno::EFAULT));
    let pages = Pages::before_hole(1);
    assert_eq!(raw([40, pages.end() - 4, 0, 0, zero]), Err(Errno::EFAULT));
    assert_eq!(raw([40, pages.end() - 8, 0, 0, zero]), Ok(0));
}

#[test]
fn a_set_that_cannot_be_written_is_efault() {
    let pages = Pages::before_hole(1);
    pages.protect(0, libc::PROT_READ);
    let timeout = [0_i64; 2];
    let timeout = timeout.as_ptr() as usize;
    assert_eq!(raw([1, pages.start(), 0, 0, timeout]), Err(Errno::EFAULT));
}

#[test]
fn a_negative_timeout_is_einval_and_many_microseconds_are_seconds() {
    for timeout in [[-1_i64, 0], [0, -1]] {
        assert_eq!(raw([0, 0, 0, 0, timeout.as_ptr() as usize]), Err(Errno::EINVAL));
    }
    let event = fd::eventfd(1, 0).unwrap();
    let mut set = FdSet::of(&[event.number()]);
    let timeout = [0_i64, 5_000_000];
    let nfds = event.number() as usize + 1;
    assert_eq!(raw([nfds, set.address(), 0, 0, timeout.as_ptr() as usize]), Ok(1));
    // SAFETY: the kernel wrote there.
    let [seconds, _] = unsafe { (&raw const timeout).read_volatile() };
    assert_eq!(seconds, 4);
}

#[test]
fn a_signal_ends_the_wait_with_eintr_even_with_sa_restart() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let (reader, _writer) = fd::pipe();
        let mut sets = Sets::reading(&[reader.number()]);
        let before = sets.read.clone();
        let hundred = Duration::from_secs(100);
        let wait = || select(reader.number() + 1, &mut sets, Some(hundred));
        let wait = || signal::interrupted(ms(20), wait);
        let (result, left) = time::remaining(hundred, wait);
        assert_eq!(result, Err(Errno::EINTR));
        assert_eq!(sets.read, before);
        assert!(left < hundred);
    });
}

#[test]
fn pselect_has_nanoseconds_and_writes_the_remaining_time_back() {
    let timeout = Duration::from_micros(1500);
    let wait = || pselect(0, &mut Sets::default(), Some(timeout), None);
    assert_eq!(time::at_least(timeout, wait), (Ok(0), ZERO));
    let event = fd::eventfd(1, 0).unwrap();
    let mut sets = Sets::reading(&[event.number()]);
    let hundred = Duration::from_secs(100);
    let wait = || pselect(event.number() + 1, &mut sets, Some(hundred), None);
    assert_eq!(time::remaining(hundred, wait).0, Ok(1));
}

#[test]
fn pselect_unblocks_a_pending_signal_for_the_wait_only() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::block(&[libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        let (result, _) = pselect(0, &mut Sets::default(), None, Some(0));
        assert_eq!((result, signal::seen(libc::SIGUSR1)), (Err(Errno::EINTR), 1));
        assert!(signal::is_blocked(libc::SIGUSR1));
    });
}

#[test]
fn a_ready_descriptor_wins_over_a_signal_that_only_the_mask_lets_in() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::block(&[libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        let event = fd::eventfd(1, 0).unwrap();
        let mut sets = Sets::reading(&[event.number()]);
        assert_eq!(pselect(event.number() + 1, &mut sets, None, Some(0)).0, Ok(1));
        assert_eq!(signal::seen(libc::SIGUSR1), 0);
        assert!(signal::is_blocked(libc::SIGUSR1) && signal::is_pending(libc::SIGUSR1));
    });
}

#[test]
fn the_mask_is_restored_after_every_error() {
    child::run(|| {
        signal::block(&[libc::SIGUSR1]);
        let mask = 0_u64;
        let zero = [0_u64; 2];
        let mask_and_size = [&raw const mask as usize, 8];
        let last = mask_and_size.as_ptr() as usize;
        let call = |nfds: usize, set| {
            let arguments = [nfds, set, 0, 0, zero.as_ptr() as usize, last];
            // SAFETY: the sets are ours or nobody's.
            unsafe { sys::call(libc::SYS_pselect6, arguments) }
        };
        assert_eq!(call(1, UNMAPPED), Err(Errno::EFAULT));
        assert!(signal::is_blocked(libc::SIGUSR1));
        assert_eq!(call(usize::MAX, 0), Err(Errno::EINVAL));
        assert!(signal::is_blocked(libc::SIGUSR1));
        assert_eq!(call(64, FdSet::of(&[63]).address()), Err(Errno::EBADF));
        assert!(signal::is_blocked(libc::SIGUSR1));
    });
}

#[test]
fn pselect_refuses_bad_timeouts_and_masks() {
    let call = |timeout: usize, last: usize| {
        // SAFETY: nothing of anybody's is written.
        unsafe { sys::call(libc::SYS_pselect6, [0, 0, 0, 0, timeout, last]) }
    };
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
        let timeout = libc::timespec { tv_sec, tv_nsec };
        assert_eq!(call(&raw const timeout as usize, 0), Err(Errno::EINVAL));
    }
    let zero = [0_u64; 2].as_ptr() as usize;
    assert_eq!(call(UNMAPPED, 0), Err(Errno::EFAULT));
    assert_eq!(call(zero, UNMAPPED), Err(Errno::EFAULT));
    assert_eq!(call(zero, [zero, 4].as_ptr() as usize), Err(Errno::EINVAL));
    assert_eq!(call(zero, [UNMAPPED, 8].as_ptr() as usize), Err(Errno::EFAULT));
}
