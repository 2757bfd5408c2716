//! sigaltstack(2): handlers that run on a stack of their own.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use libc::{SIGSEGV, SIGUSR1, c_void};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, PAGE, Pages, UNMAPPED};
use pollux_tests::{Errno, signal, sys};

/// Installs a handler without `SA_SIGINFO`.
fn handle(number: i32, flags: i32, handler: extern "C" fn(i32)) {
    signal::handle(number, flags, handler as usize);
}

#[test]
fn a_handler_may_run_on_a_stack_of_its_own() {
    static PLACE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn look(_: i32) {
        let local = 0_u8;
        PLACE.store(&raw const local as usize, Ordering::SeqCst);
    }
    child::run(|| {
        let stack = Pages::before_hole(16);
        alternate(stack.start(), 16 * PAGE, 0).unwrap();
        handle(SIGUSR1, libc::SA_ONSTACK, look);
        signal::raise(SIGUSR1);
        assert!((stack.start()..stack.end()).contains(&PLACE.load(Ordering::SeqCst)));
        handle(SIGUSR1, 0, look);
        signal::raise(SIGUSR1);
        assert!(!(stack.start()..stack.end()).contains(&PLACE.load(Ordering::SeqCst)));
    });
}

#[test]
fn an_overflow_of_the_stack_can_be_handled_on_another() {
    extern "C" fn exit(_: i32) {
        child::exit(42);
    }
    #[expect(unconditional_recursion, reason = "the overflow is what is tested")]
    fn descend(depth: usize) -> usize {
        let frame = core::hint::black_box([depth; 100]);
        descend(depth + 1) + core::hint::black_box(frame)[depth % 100]
    }
    let overflow = |prepare: fn(usize)| {
        child::status(|| {
            let stack = memory::map(16).unwrap();
            prepare(stack);
            core::hint::black_box(descend(0));
        })
    };
    let handled = overflow(|stack| {
        alternate(stack, 16 * PAGE, 0).unwrap();
        handle(SIGSEGV, libc::SA_ONSTACK, exit);
    });
    assert_eq!(handled, Status::Exited(42));
    let without_stack = overflow(|_| handle(SIGSEGV, 0, exit));
    assert_eq!(without_stack, Status::Killed(SIGSEGV));
}

fn alternate(start: usize, size: usize, flags: i32) -> sys::Result<usize> {
    let stack = libc::stack_t { ss_sp: start as *mut c_void, ss_flags: flags, ss_size: size };
    // SAFETY: the kernel only notes the place.
    unsafe { sys::call(libc::SYS_sigaltstack, [&raw const stack as usize, 0]) }
}

#[test]
fn an_alternative_stack_is_checked() {
    child::run(|| {
        let stack = Pages::before_hole(16);
        assert_eq!(alternate(stack.start(), 100, 0), Err(Errno::ENOMEM));
        assert_eq!(alternate(stack.start(), PAGE, 0x99), Err(Errno::EINVAL));
        // SAFETY: nothing is mapped there.
        let fault = unsafe { sys::call(libc::SYS_sigaltstack, [UNMAPPED, 0]) };
        assert_eq!(fault, Err(Errno::EFAULT));
        alternate(stack.start(), 16 * PAGE, 0).unwrap();
        let mut now = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        // SAFETY: the stack description is ours.
        unsafe { sys::call(libc::SYS_sigaltstack, [0, &raw mut now as usize]) }.unwrap();
        assert_eq!((now.ss_sp as usize, now.ss_size), (stack.start(), 16 * PAGE));
        assert_eq!(now.ss_flags, 0);
        alternate(0, 0, libc::SS_DISABLE).unwrap();
    });
}

/// Flags, start and size.
fn current() -> (i32, usize, usize) {
    let mut now = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: the stack description is ours.
    unsafe { sys::call(libc::SYS_sigaltstack, [0, &raw mut now as usize]) }.unwrap();
    (now.ss_flags, now.ss_sp as usize, now.ss_size)
}

const SS_AUTODISARM: i32 = 1 << 31;

static RESULT: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// Whether the stack may be changed here, and what it is.
extern "C" fn look_and_change(_: i32) {
    let (flags, start, size) = current();
    let errno = alternate(RESULT[0].load(Ordering::SeqCst), 8 * PAGE, 0).err();
    let told = [errno.map_or(0, |errno| errno.0 as usize), flags as u32 as usize, start, size];
    for (place, value) in RESULT.iter().zip(told) {
        place.store(value, Ordering::SeqCst);
    }
}

#[test]
fn the_stack_that_a_handler_runs_on_stays_as_it_is() {
    child::run(|| {
        let stack = Pages::before_hole(16);
        alternate(stack.start(), 16 * PAGE, libc::SS_ONSTACK).unwrap();
        assert_eq!(current(), (0, stack.start(), 16 * PAGE));
        handle(SIGUSR1, libc::SA_ONSTACK, look_and_change);
        signal::raise(SIGUSR1);
        let told = RESULT.each_ref().map(|place| place.load(Ordering::SeqCst));
        let on_stack = libc::SS_ONSTACK as usize;
        assert_eq!(told, [libc::EPERM as usize, on_stack, stack.start(), 16 * PAGE]);
    });
}

#[test]
fn a_stack_may_be_nobodys_while_it_is_used() {
    child::run(|| {
        let stack = Pages::before_hole(16);
        let other = Pages::before_hole(8);
        alternate(stack.start(), 16 * PAGE, SS_AUTODISARM).unwrap();
        assert_eq!(current(), (SS_AUTODISARM, stack.start(), 16 * PAGE));
        RESULT[0].store(other.start(), Ordering::SeqCst);
        handle(SIGUSR1, libc::SA_ONSTACK, look_and_change);
        signal::raise(SIGUSR1);
        let told = RESULT.each_ref().map(|place| place.load(Ordering::SeqCst));
        assert_eq!(told, [0, libc::SS_DISABLE as usize, 0, 0]);
        assert_eq!(
            current(),
            (SS_AUTODISARM, stack.start(), 16 * PAGE),
            "it is back after the handler"
        );
    });
}

#[test]
fn a_stack_that_is_given_up_is_nowhere() {
    child::run(|| {
        let stack = Pages::before_hole(16);
        alternate(stack.start(), 16 * PAGE, 0).unwrap();
        alternate(stack.start(), 16 * PAGE, libc::SS_DISABLE | SS_AUTODISARM).unwrap();
        assert_eq!(current(), (libc::SS_DISABLE | SS_AUTODISARM, 0, 0));
        alternate(stack.start(), 16 * PAGE, libc::SS_DISABLE).unwrap();
        assert_eq!(current(), (libc::SS_DISABLE, 0, 0));
    });
}

#[test]
fn a_child_has_the_stack_and_a_thread_none() {
    child::run(|| {
        let stack = Pages::before_hole(16);
        alternate(stack.start(), 16 * PAGE, 0).unwrap();
        child::run(|| assert_eq!(current(), (0, stack.start(), 16 * PAGE)));
        extern "C" fn thread(_: *mut c_void) -> *mut c_void {
            assert_eq!(current(), (libc::SS_DISABLE, 0, 0));
            ptr::null_mut()
        }
        // Rust's own threads have one.
        // SAFETY: the function takes no argument, and is waited for.
        unsafe {
            let mut id = core::mem::zeroed();
            assert_eq!(libc::pthread_create(&mut id, ptr::null(), thread, ptr::null_mut()), 0);
            assert_eq!(libc::pthread_join(id, ptr::null_mut()), 0);
        }
    });
}
