//! sigaltstack(2): handlers that run on a stack of their own.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use libc::{SIGSEGV, SIGUSR1, c_void};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, PAGE, Pages, UNMAPPED};
use pollux_tests::{Errno, signal, sys};

/// Installs a handler that gets the number alone.
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
