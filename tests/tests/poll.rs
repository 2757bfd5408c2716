//! poll(2): waiting for any of an array of descriptors.

use libc::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM,
    POLLWRBAND, POLLWRNORM,
};
use pollux_tests::memory::{KERNEL, PAGE, Pages, UNMAPPED};
use pollux_tests::poll::{entry, poll, poll_at, ready, ready_number};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, fd, limit, signal};

const EVERYTHING: i16 = POLLIN
    | POLLPRI
    | POLLOUT
    | POLLERR
    | POLLHUP
    | POLLNVAL
    | POLLRDNORM
    | POLLRDBAND
    | POLLWRNORM
    | POLLWRBAND
    | POLLRDHUP;

#[test]
fn the_count_is_of_entries_with_events_and_every_revents_is_written() {
    let (reader, writer) = fd::pipe();
    let mut entries = [
        entry(reader.number(), POLLIN),
        entry(writer.number(), POLLOUT),
        entry(writer.number(), POLLIN),
        entry(-1, POLLIN),
        entry(writer.number(), POLLOUT | POLLWRNORM),
    ];
    assert_eq!(poll(&mut entries, 0), Ok(2));
    let revents = entries.map(|entry| entry.revents);
    assert_eq!(revents, [0, POLLOUT, 0, 0, POLLOUT | POLLWRNORM]);
}

#[test]
fn the_normal_bits_stand_for_the_same_as_in_and_out() {
    let (reader, writer) = fd::pipe();
    assert_eq!(ready(&writer, EVERYTHING), POLLOUT | POLLWRNORM);
    assert_eq!(ready(&reader, EVERYTHING), 0);
    writer.write(b"x").unwrap();
    assert_eq!(ready(&reader, EVERYTHING), POLLIN | POLLRDNORM);
    assert_eq!(ready(&reader, POLLRDNORM), POLLRDNORM);
    assert_eq!(ready(&reader, POLLRDBAND | POLLPRI | POLLRDHUP), 0);
}

#[test]
fn an_eventfd_has_no_normal_bits() {
    let event = fd::eventfd(1, 0).unwrap();
    assert_eq!(ready(&event, EVERYTHING), POLLIN | POLLOUT);
}

#[test]
fn a_regular_file_is_always_ready() {
    let file = fd::open("/tmp/poll", libc::O_CREAT | libc::O_RDWR, 0o600).unwrap();
    assert_eq!(ready(&file, EVERYTHING), POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

#[test]
fn hang_up_and_error_are_reported_unasked() {
    let (reader, writer) = fd::pipe();
    drop(writer);
    assert_eq!(ready(&reader, 0), POLLHUP);
    let (reader, writer) = fd::pipe();
    drop(reader);
    assert_eq!(ready(&writer, 0), POLLERR);
}

#[test]
fn a_number_that_is_not_open_is_pollnval() {
    let (reader, _writer) = fd::pipe();
    let number = reader.number();
    drop(reader);
    assert_eq!(ready_number(number, POLLIN), POLLNVAL);
    assert_eq!(ready_number(number, 0), POLLNVAL);
    assert_eq!(ready_number(1 << 29, POLLIN), POLLNVAL);
    assert_eq!(ready_number(i32::MAX, POLLIN), POLLNVAL);
}

#[test]
fn a_negative_number_is_skipped() {
    let mut entries = [entry(-1, POLLIN), entry(i32::MIN, POLLIN)];
    assert_eq!(time::at_least(ms(20), || poll(&mut entries, 20)), Ok(0));
    assert_eq!(entries.map(|entry| entry.revents), [0, 0]);
}

#[test]
fn the_same_descriptor_may_stand_in_several_entries() {
    let (reader, writer) = fd::pipe();
    let mut entries = [entry(reader.number(), POLLIN); 3];
    writer.write(b"x").unwrap();
    assert_eq!(poll(&mut entries, -1), Ok(3));
}

#[test]
fn a_timeout_returns_zero_and_no_earlier() {
    let (reader, _writer) = fd::pipe();
    let mut entries = [entry(reader.number(), POLLIN)];
    assert_eq!(time::at_least(ms(30), || poll(&mut entries, 30)), Ok(0));
    assert_eq!(entries[0].revents, 0);
}

#[test]
fn no_entries_make_a_sleep() {
    assert_eq!(time::at_least(ms(20), || poll(&mut [], 20)), Ok(0));
    // SAFETY: no entry is read.
    assert_eq!(unsafe { poll_at(UNMAPPED, 0, 0) }, Ok(0));
}

#[test]
fn every_negative_timeout_waits_for_ever() {
    for timeout in [-1, -2, i32::MIN] {
        let (reader, writer) = fd::pipe();
        let write = time::soon(move || writer.write(b"x").map(|_| writer));
        let mut entries = [entry(reader.number(), POLLIN)];
        assert_eq!(poll(&mut entries, timeout), Ok(1));
        assert_eq!(entries[0].revents, POLLIN);
        write.join().unwrap().unwrap();
    }
}

#[test]
fn a_huge_timeout_still_ends_with_the_event() {
    let (reader, writer) = fd::pipe();
    let write = time::soon(move || writer.write(b"x").map(|_| writer));
    assert_eq!(poll(&mut [entry(reader.number(), POLLIN)], i32::MAX), Ok(1));
    write.join().unwrap().unwrap();
}

#[test]
fn a_waiter_is_woken_by_space_and_by_hang_up() {
    let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
    writer.write(&[0; 16 * PAGE]).unwrap();
    let read = time::soon(move || reader.read(PAGE).map(|_| reader));
    assert_eq!(poll(&mut [entry(writer.number(), POLLOUT)], -1), Ok(1));
    let reader = read.join().unwrap().unwrap();

    reader.read(16 * PAGE).unwrap();
    let close = time::soon(move || writer.close());
    let mut entries = [entry(reader.number(), POLLIN)];
    assert_eq!(poll(&mut entries, -1), Ok(1));
    assert_eq!(entries[0].revents, POLLHUP);
    close.join().unwrap().unwrap();
}

#[test]
fn a_waiter_is_not_ended_by_what_it_did_not_ask_for() {
    let event = fd::eventfd(0, 0).unwrap();
    event.write_u64(u64::MAX - 1).unwrap();
    event.read_u64().unwrap();
    let writer = event.dup().unwrap();
    let write = time::soon(move || writer.write_u64(1));
    let result = time::at_least(ms(80), || poll(&mut [entry(event.number(), POLLPRI)], 80));
    assert_eq!(result, Ok(0));
    write.join().unwrap().unwrap();
}

#[test]
fn any_of_many_descriptors_ends_the_wait() {
    let pipes: Vec<_> = (0..200).map(|_| fd::pipe()).collect();
    let mut entries: Vec<_> =
        pipes.iter().map(|(reader, _)| entry(reader.number(), POLLIN)).collect();
    for last in [199, 100, 0] {
        let writer = pipes[last].1.dup().unwrap();
        let write = time::soon(move || writer.write(b"x"));
        assert_eq!(poll(&mut entries, -1), Ok(1));
        for (index, entry) in entries.iter().enumerate() {
            assert_eq!(entry.revents, if index == last { POLLIN } else { 0 });
        }
        write.join().unwrap().unwrap();
        pipes[last].0.read(1).unwrap();
    }
}

#[test]
fn every_wait_for_the_same_descriptors_hears_of_them() {
    let pipes: Vec<_> = (0..3).map(|_| fd::pipe()).collect();
    let mut entries: Vec<_> =
        pipes.iter().map(|(reader, _)| entry(reader.number(), POLLIN)).collect();
    for round in 0..9 {
        let active = round % 3;
        let writer = pipes[active].1.dup().unwrap();
        let write = time::soon(move || writer.write(b"x"));
        assert_eq!(poll(&mut entries, -1), Ok(1), "wait {round}");
        assert_eq!(entries[active].revents, POLLIN);
        write.join().unwrap().unwrap();
        pipes[active].0.read(1).unwrap();
    }
}

#[test]
fn a_wait_is_not_ended_by_what_an_earlier_one_asked_for() {
    let (mine, other) = (fd::eventfd(0, 0).unwrap(), fd::eventfd(0, 0).unwrap());
    let both = &mut [entry(mine.number(), POLLIN), entry(other.number(), POLLIN | POLLOUT)];
    assert_eq!(poll(both, 0), Ok(1));
    assert_eq!(poll(&mut [entry(mine.number(), POLLIN), entry(other.number(), POLLIN)], 10), Ok(0));
    // One was left out, then the other.
    for (waited_for, left_out) in [(&mine, &other), (&other, &mine), (&mine, &other)] {
        let writer = left_out.dup().unwrap();
        let write = time::soon(move || writer.write_u64(1));
        let entries = &mut [entry(waited_for.number(), POLLIN)];
        assert_eq!(time::at_least(ms(80), || poll(entries, 80)), Ok(0));
        write.join().unwrap().unwrap();
        left_out.read_u64().unwrap();
    }
    // As a part of the next wait, it counts again.
    let writer = other.dup().unwrap();
    let write = time::soon(move || writer.write_u64(1));
    let both = &mut [entry(mine.number(), POLLIN), entry(other.number(), POLLIN)];
    assert_eq!(poll(both, -1), Ok(1));
    write.join().unwrap().unwrap();
}

#[test]
fn every_thread_that_waits_for_a_descriptor_hears_of_it_each_time() {
    let (reader, writer) = fd::pipe();
    for _ in 0..4 {
        let number = reader.number();
        let wait = move || poll(&mut [entry(number, POLLIN)], 5_000);
        let waiters: Vec<_> = (0..3).map(|_| std::thread::spawn(wait)).collect();
        std::thread::sleep(ms(30));
        writer.write(b"x").unwrap();
        assert_eq!(wait(), Ok(1));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(1));
        }
        reader.read(1).unwrap();
    }
}

#[test]
fn a_descriptor_that_was_waited_for_is_closed_at_once() {
    let (reader, writer) = fd::pipe();
    for _ in 0..3 {
        assert_eq!(poll(&mut [entry(reader.number(), POLLIN)], 5), Ok(0));
    }
    reader.close().unwrap();
    assert_eq!(poll(&mut [entry(writer.number(), 0)], 0), Ok(1));
    let (another, writer) = fd::pipe();
    let write = time::soon(move || writer.write(b"x"));
    assert_eq!(poll(&mut [entry(another.number(), POLLIN)], -1), Ok(1));
    write.join().unwrap().unwrap();
}

#[test]
fn only_revents_is_written() {
    let (reader, writer) = fd::pipe();
    let mut entries = [entry(reader.number(), POLLIN)];
    let address = entries.as_mut_ptr() as usize;
    let change = time::soon(move || {
        // SAFETY: the array outlives the call that the other thread makes; the kernel has its copy.
        unsafe { (&raw mut (*(address as *mut libc::pollfd)).events).write_volatile(POLLPRI) };
        writer.write(b"x").map(|_| writer)
    });
    // SAFETY: the array is ours.
    assert_eq!(unsafe { poll_at(address, 1, -1) }, Ok(1));
    change.join().unwrap().unwrap();
    // SAFETY: nobody else writes any more.
    let [entry] = unsafe { (&raw const entries).read_volatile() };
    assert_eq!((entry.fd, entry.events, entry.revents), (reader.number(), POLLPRI, POLLIN));
}

#[test]
fn more_entries_than_rlimit_nofile_are_einval() {
    child::run(|| {
        limit::lower(libc::RLIMIT_NOFILE, 20);
        assert_eq!(poll(&mut [entry(-1, 0); 20], 0), Ok(0));
        assert_eq!(poll(&mut [entry(-1, 0); 21], 0), Err(Errno::EINVAL));
    });
    // SAFETY: nothing is mapped there.
    assert_eq!(unsafe { poll_at(UNMAPPED, usize::MAX, 0) }, Err(Errno::EINVAL));
}

#[test]
fn an_array_at_a_bad_address_is_efault() {
    for address in [0, UNMAPPED, KERNEL, usize::MAX - 7] {
        // SAFETY: nothing of ours is there.
        assert_eq!(unsafe { poll_at(address, 1, 0) }, Err(Errno::EFAULT), "{address:#x}");
    }
}

#[test]
fn an_array_that_runs_into_a_hole_is_efault_and_not_written() {
    let (_reader, writer) = fd::pipe();
    let pages = Pages::before_hole(1);
    let address = pages.place(&[entry(writer.number(), POLLOUT); 2], 4);
    // SAFETY: the mapped part is ours.
    assert_eq!(unsafe { poll_at(address, 2, -1) }, Err(Errno::EFAULT));
    assert_eq!(pages.value::<libc::pollfd>(address).revents, 0x5555);
}

#[test]
fn an_array_that_cannot_be_written_is_efault() {
    let (_reader, writer) = fd::pipe();
    let pages = Pages::before_hole(1);
    let address = pages.place(&[entry(writer.number(), POLLOUT)], 0);
    pages.protect(0, libc::PROT_READ);
    // SAFETY: the page is ours.
    assert_eq!(unsafe { poll_at(address, 1, -1) }, Err(Errno::EFAULT));
}

#[test]
fn an_array_needs_no_alignment() {
    let (_reader, writer) = fd::pipe();
    let pages = Pages::before_hole(1);
    let address = pages.place(&[0_u8; 9], 0) + 1;
    let at_end = pages.place(&[entry(writer.number(), POLLOUT)], 0);
    assert_eq!(address, at_end, "an odd address is not possible at the end of a page");
    let odd = pages.start() + 1;
    // SAFETY: the page is ours.
    unsafe { (odd as *mut libc::pollfd).write_unaligned(entry(writer.number(), POLLOUT)) };
    // SAFETY: the page is ours.
    assert_eq!(unsafe { poll_at(odd, 1, -1) }, Ok(1));
    assert_eq!(pages.value::<libc::pollfd>(odd).revents, POLLOUT);
}

#[test]
fn a_signal_ends_the_wait_with_eintr_even_with_sa_restart() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let (reader, _writer) = fd::pipe();
        let mut entries = [entry(reader.number(), POLLIN)];
        let result = signal::interrupted(ms(20), || poll(&mut entries, -1));
        assert_eq!(result, Err(Errno::EINTR));
        assert!(signal::seen(libc::SIGALRM) >= 1);
    });
}

#[test]
fn an_ignored_signal_does_not_end_the_wait() {
    child::run(|| {
        signal::handle(libc::SIGALRM, 0, libc::SIG_IGN);
        signal::alarm(ms(10));
        assert_eq!(time::at_least(ms(50), || poll(&mut [], 50)), Ok(0));
    });
}

#[test]
fn a_stopped_and_continued_wait_goes_on() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        assert_eq!(poll(&mut [entry(reader.number(), POLLIN)], 60_000), Ok(1));
    });
    time::settle();
    child.kill(libc::SIGSTOP);
    time::settle();
    child.kill(libc::SIGCONT);
    time::settle();
    writer.write(b"x").unwrap();
    child.join();
}
