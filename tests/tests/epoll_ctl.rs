//! epoll_create(2), epoll_ctl(2): the interest list, and every error.

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};
use pollux_tests::epoll::events::{ERR, ET, EXCLUSIVE, HUP, IN, ONESHOT, OUT, PRI, RDHUP, WAKEUP};
use pollux_tests::epoll::{self, EVENT_SIZE, Epoll};
use pollux_tests::memory::{Pages, UNMAPPED};
use pollux_tests::{Errno, Fd, fd, sys};

fn eventfd() -> Fd {
    fd::eventfd(1, libc::EFD_NONBLOCK).unwrap()
}

fn chain(length: usize) -> Vec<Epoll> {
    let chain: Vec<_> = (0..length).map(|_| Epoll::new()).collect();
    for pair in chain.windows(2) {
        pair[0].add(&pair[1].0, IN, 0).unwrap();
    }
    chain
}

#[test]
fn create1_knows_one_flag() {
    let plain = epoll::create1(0).unwrap();
    assert_eq!(plain.fcntl(libc::F_GETFD, 0), Ok(0));
    let closing = epoll::create1(libc::EPOLL_CLOEXEC).unwrap();
    assert_eq!(closing.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    assert_eq!(epoll::create1(1), Err(Errno::EINVAL));
    assert_eq!(epoll::create1(libc::O_NONBLOCK), Err(Errno::EINVAL));
}

#[test]
fn create_wants_a_positive_size() {
    let create = |size: i32| {
        // SAFETY: no memory is involved.
        let made = unsafe { sys::call(libc::SYS_epoll_create, [size as usize]) };
        made.map(|fd| drop(Fd::from_number(fd as i32)))
    };
    assert_eq!(create(1), Ok(()));
    assert_eq!(create(i32::MAX), Ok(()));
    assert_eq!(create(0), Err(Errno::EINVAL));
    assert_eq!(create(-1), Err(Errno::EINVAL));
}

#[test]
fn adding_twice_is_eexist_and_changes_nothing() {
    let epoll = Epoll::new();
    let event = eventfd();
    epoll.add(&event, IN, 1).unwrap();
    assert_eq!(epoll.add(&event, OUT, 2), Err(Errno::EEXIST));
    assert_eq!(epoll.now(), [epoll::event(IN, 1)]);
}

#[test]
fn changing_or_removing_a_stranger_is_enoent() {
    let epoll = Epoll::new();
    let event = eventfd();
    assert_eq!(epoll.modify(&event, IN, 1), Err(Errno::ENOENT));
    assert_eq!(epoll.delete(&event), Err(Errno::ENOENT));
    epoll.add(&event, IN, 1).unwrap();
    epoll.delete(&event).unwrap();
    assert_eq!(epoll.delete(&event), Err(Errno::ENOENT));
}

#[test]
fn numbers_that_are_not_open_are_ebadf() {
    let epoll = Epoll::new();
    let event = eventfd();
    for bad in [-1, i32::MAX, 999] {
        assert_eq!(epoll::ctl(epoll.number(), EPOLL_CTL_ADD, bad, IN, 0), Err(Errno::EBADF));
        assert_eq!(epoll::ctl(bad, EPOLL_CTL_ADD, event.number(), IN, 0), Err(Errno::EBADF));
    }
}

#[test]
fn regular_files_and_directories_are_eperm() {
    let epoll = Epoll::new();
    let file = fd::open("/tmp/epoll_ctl", libc::O_CREAT | libc::O_RDWR, 0o600).unwrap();
    let directory = fd::open("/tmp", libc::O_DIRECTORY, 0).unwrap();
    assert_eq!(epoll.add(&file, IN, 0), Err(Errno::EPERM));
    assert_eq!(epoll.add(&directory, IN, 0), Err(Errno::EPERM));
    assert_eq!(epoll.delete(&file), Err(Errno::EPERM));
    // The file is looked at before the instance is.
    let event = eventfd();
    assert_eq!(epoll::ctl(event.number(), EPOLL_CTL_ADD, file.number(), IN, 0), Err(Errno::EPERM));
}

#[test]
fn what_is_no_epoll_instance_is_einval() {
    let (event, other) = (eventfd(), eventfd());
    for operation in [EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL] {
        assert_eq!(
            epoll::ctl(event.number(), operation, other.number(), IN, 0),
            Err(Errno::EINVAL)
        );
    }
}

#[test]
fn an_unknown_operation_is_einval() {
    let epoll = Epoll::new();
    let event = eventfd();
    for operation in [0, 4, -1] {
        assert_eq!(
            epoll::ctl(epoll.number(), operation, event.number(), IN, 0),
            Err(Errno::EINVAL)
        );
    }
}

#[test]
fn an_instance_cannot_watch_itself() {
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&epoll.0, IN, 0), Err(Errno::EINVAL));
    let duplicate = epoll.0.dup().unwrap();
    assert_eq!(epoll.add(&duplicate, IN, 0), Err(Errno::EINVAL));
    assert_eq!(epoll.modify(&epoll.0, IN, 0), Err(Errno::EINVAL));
    assert_eq!(epoll.delete(&epoll.0), Err(Errno::EINVAL));
}

#[test]
fn a_bad_event_address_is_efault_before_anything_else() {
    let epoll = Epoll::new();
    let event = eventfd();
    for operation in [EPOLL_CTL_ADD, EPOLL_CTL_MOD, 99] {
        for (instance, target) in [(epoll.number(), event.number()), (-1, -1)] {
            for address in [0, UNMAPPED] {
                // SAFETY: the kernel only reads.
                let result = unsafe { epoll::ctl_at(instance, operation, target, address) };
                assert_eq!(result, Err(Errno::EFAULT));
            }
        }
    }
    assert_eq!(epoll.now(), []);
}

#[test]
fn removing_does_not_look_at_the_event() {
    let epoll = Epoll::new();
    let event = eventfd();
    for address in [0, UNMAPPED] {
        epoll.add(&event, IN, 0).unwrap();
        // SAFETY: the kernel only reads.
        let result =
            unsafe { epoll::ctl_at(epoll.number(), EPOLL_CTL_DEL, event.number(), address) };
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn an_event_needs_no_alignment_and_may_end_at_a_hole() {
    let epoll = Epoll::new();
    let event = eventfd();
    let pages = Pages::before_hole(1);
    let wanted = libc::epoll_event { events: IN, u64: 0x0102_0304_0506_0708 };
    let address = pages.place(&[wanted], 0);
    assert_eq!(address, pages.end() - EVENT_SIZE);
    // SAFETY: the kernel only reads.
    let add =
        |address| unsafe { epoll::ctl_at(epoll.number(), EPOLL_CTL_ADD, event.number(), address) };
    assert_eq!(add(address), Ok(()));
    assert_eq!(epoll.now_data(), [0x0102_0304_0506_0708]);
    epoll.delete(&event).unwrap();
    assert_eq!(add(pages.place(&[wanted], 1)), Err(Errno::EFAULT));
    let odd = pages.start() + 3;
    // SAFETY: the page is ours.
    unsafe { (odd as *mut libc::epoll_event).write_unaligned(wanted) };
    assert_eq!(add(odd), Ok(()));
    assert_eq!(epoll.now_data(), [0x0102_0304_0506_0708]);
}

#[test]
fn a_cycle_of_instances_is_eloop() {
    let (first, second) = (Epoll::new(), Epoll::new());
    first.add(&second.0, IN, 0).unwrap();
    assert_eq!(second.add(&first.0, IN, 0), Err(Errno::ELOOP));
    let chain = chain(4);
    assert_eq!(chain[3].add(&chain[0].0, IN, 0), Err(Errno::ELOOP));
    chain[1].delete(&chain[2].0).unwrap();
    assert_eq!(chain[3].add(&chain[0].0, IN, 0), Ok(()), "the chain was cut");
}

#[test]
fn a_chain_of_more_than_five_instances_is_eloop() {
    let chain = chain(5);
    let event = eventfd();
    chain[4].add(&event, IN, 0).unwrap();
    assert_eq!(chain[0].wait(1, 0).unwrap().len(), 1);
    let outer = Epoll::new();
    assert_eq!(outer.add(&chain[0].0, IN, 0), Err(Errno::ELOOP));
    let inner = Epoll::new();
    assert_eq!(chain[4].add(&inner.0, IN, 0), Err(Errno::ELOOP));
    assert_eq!(chain[3].add(&inner.0, IN, 0), Ok(()));
}

#[test]
fn depth_counts_from_both_ends() {
    let (upper, lower) = (chain(3), chain(3));
    assert_eq!(upper[2].add(&lower[0].0, IN, 0), Err(Errno::ELOOP));
    assert_eq!(upper[1].add(&lower[0].0, IN, 0), Ok(()));
}

#[test]
fn exclusive_allows_few_other_events() {
    let epoll = Epoll::new();
    let event = eventfd();
    for allowed in [0, IN, OUT, IN | OUT, ERR, HUP, ET | IN, WAKEUP | IN] {
        epoll.add(&event, allowed | EXCLUSIVE, 0).unwrap();
        epoll.delete(&event).unwrap();
    }
    for refused in [PRI, RDHUP, ONESHOT, IN | ONESHOT, ET | IN | PRI] {
        assert_eq!(epoll.add(&event, refused | EXCLUSIVE, 0), Err(Errno::EINVAL), "{refused:#x}");
    }
}

#[test]
fn exclusive_is_for_adding_only() {
    let epoll = Epoll::new();
    let (exclusive, plain) = (eventfd(), eventfd());
    epoll.add(&exclusive, IN | EXCLUSIVE, 1).unwrap();
    assert_eq!(epoll.modify(&exclusive, IN, 2), Err(Errno::EINVAL));
    assert_eq!(epoll.modify(&exclusive, IN | EXCLUSIVE, 2), Err(Errno::EINVAL));
    epoll.add(&plain, IN, 3).unwrap();
    assert_eq!(epoll.modify(&plain, IN | EXCLUSIVE, 4), Err(Errno::EINVAL));
    assert_eq!(epoll.now_data(), [1, 3]);
}

#[test]
fn exclusive_is_not_for_instances() {
    let (outer, inner) = (Epoll::new(), Epoll::new());
    assert_eq!(outer.add(&inner.0, IN | EXCLUSIVE, 0), Err(Errno::EINVAL));
    assert_eq!(outer.add(&inner.0, IN, 0), Ok(()));
}

#[test]
fn the_data_word_comes_back_bit_by_bit() {
    let epoll = Epoll::new();
    let event = eventfd();
    for data in [0, u64::MAX, 0x8000_0000_0000_0001] {
        epoll.add(&event, IN, data).unwrap();
        assert_eq!(epoll.now_data(), [data]);
        epoll.delete(&event).unwrap();
    }
}
