//! sigaction(2): the arguments of a handler, and what it may do.

use core::arch::asm;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{SA_SIGINFO, SIGALRM, SIGSEGV, SIGUSR1, SIGUSR2, c_void, siginfo_t, ucontext_t};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{PAGE, Pages, UNMAPPED};
use pollux_tests::{Errno, signal, sys, time};

type Handler = extern "C" fn(i32, *mut siginfo_t, *mut c_void);

/// Installs a handler with `SA_SIGINFO`.
fn handle(number: i32, flags: i32, handler: Handler) {
    signal::handle(number, flags | SA_SIGINFO, handler as usize);
}

/// The arguments of the last call of `record`.
static CODE: AtomicI32 = AtomicI32::new(i32::MIN);
static ADDRESS: AtomicUsize = AtomicUsize::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn record(number: i32, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`.
    unsafe {
        assert_eq!((*info).si_signo, number);
        CODE.store((*info).si_code, Ordering::SeqCst);
        SENDER.store((*info).si_pid(), Ordering::SeqCst);
        ADDRESS.store((*info).si_addr() as usize, Ordering::SeqCst);
    }
}

/// Does the same as `record`, and ends the process, because the fault would repeat.
extern "C" fn record_and_exit(number: i32, info: *mut siginfo_t, context: *mut c_void) {
    record(number, info, context);
    let expected = EXPECTED.each_ref().map(|word| word.load(Ordering::SeqCst));
    let told = [CODE.load(Ordering::SeqCst) as usize, ADDRESS.load(Ordering::SeqCst)];
    child::exit(if told == expected { 0 } else { 1 });
}

static EXPECTED: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

#[track_caller]
fn faults_with(code: i32, address: usize, fault: impl FnOnce()) {
    let status = child::status(|| {
        handle(SIGSEGV, 0, record_and_exit);
        EXPECTED[0].store(code as usize, Ordering::SeqCst);
        EXPECTED[1].store(address, Ordering::SeqCst);
        fault();
        child::exit(2);
    });
    assert_eq!(status, Status::Exited(0));
}

/// The codes of SIGSEGV: the address is not mapped, or its protection forbids the access.
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;

#[test]
fn a_fault_tells_its_address_and_whether_something_is_mapped_there() {
    // SAFETY: the faults are what is tested.
    let read = |address: usize| unsafe { (address as *const u8).read_volatile() };
    // SAFETY: as above.
    let write = |address: usize| unsafe { (address as *mut u8).write_volatile(1) };
    faults_with(SEGV_MAPERR, 0, || _ = read(0));
    faults_with(SEGV_MAPERR, UNMAPPED + 5, || _ = read(UNMAPPED + 5));
    faults_with(SEGV_MAPERR, UNMAPPED + 5, || write(UNMAPPED + 5));
    let pages = Pages::before_hole(2);
    pages.protect(0, libc::PROT_READ);
    pages.protect(1, libc::PROT_NONE);
    faults_with(SEGV_ACCERR, pages.start() + 8, || write(pages.start() + 8));
    faults_with(SEGV_ACCERR, pages.start() + PAGE, || _ = read(pages.start() + PAGE));
    faults_with(SEGV_MAPERR, pages.end(), || _ = read(pages.end()));
}

#[test]
fn a_signal_from_a_process_tells_who_sent_it() {
    child::run(|| {
        handle(SIGUSR1, 0, record);
        // SAFETY: no memory is involved.
        unsafe { libc::kill(sys::getpid(), SIGUSR1) };
        assert_eq!(CODE.load(Ordering::SeqCst), libc::SI_USER);
        assert_eq!(SENDER.load(Ordering::SeqCst), sys::getpid());
        signal::raise(SIGUSR1);
        assert_eq!(CODE.load(Ordering::SeqCst), libc::SI_TKILL);
        let parent = sys::getpid();
        // SAFETY: no memory is involved.
        let sender = child::spawn(|| _ = unsafe { libc::kill(parent, SIGUSR1) });
        let pid = sender.pid();
        sender.join();
        assert_eq!(SENDER.load(Ordering::SeqCst), pid);
    });
}

#[test]
fn the_end_of_a_child_tells_how_it_ended() {
    child::run(|| {
        handle(libc::SIGCHLD, 0, record);
        let quick = child::spawn(|| child::exit(3));
        let pid = quick.pid();
        assert_eq!(quick.wait(), Status::Exited(3));
        assert_eq!(CODE.load(Ordering::SeqCst), libc::CLD_EXITED);
        assert_eq!(SENDER.load(Ordering::SeqCst), pid);
        assert_eq!(child::status(|| signal::raise(libc::SIGKILL)), Status::Killed(libc::SIGKILL));
        assert_eq!(CODE.load(Ordering::SeqCst), libc::CLD_KILLED);
    });
}

#[test]
fn the_signal_and_the_given_mask_are_blocked_while_the_handler_runs() {
    static BLOCKED: AtomicU64 = AtomicU64::new(0);
    extern "C" fn look(_: i32, _: *mut siginfo_t, _: *mut c_void) {
        let all = [SIGUSR1, SIGUSR2, SIGALRM];
        let blocked: Vec<_> =
            all.into_iter().filter(|number| signal::is_blocked(*number)).collect();
        BLOCKED.store(signal::mask(&blocked), Ordering::SeqCst);
    }
    child::run(|| {
        let install = |flags: i32| {
            // SAFETY: all-zero is a valid `sigaction`.
            let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            action.sa_sigaction = look as Handler as usize;
            action.sa_flags = SA_SIGINFO | flags;
            action.sa_mask = signal::set(&[SIGALRM]);
            // SAFETY: the action is valid.
            assert_eq!(unsafe { libc::sigaction(SIGUSR1, &action, ptr::null_mut()) }, 0);
            signal::raise(SIGUSR1);
            BLOCKED.load(Ordering::SeqCst)
        };
        assert_eq!(install(0), signal::mask(&[SIGUSR1, SIGALRM]));
        assert_eq!(install(libc::SA_NODEFER), signal::mask(&[SIGALRM]));
        assert!(![SIGUSR1, SIGALRM].into_iter().any(signal::is_blocked));
    });
}

#[test]
fn a_handler_may_be_for_once() {
    let status = child::status(|| {
        signal::count(SIGUSR1, libc::SA_RESETHAND);
        signal::raise(SIGUSR1);
        assert_eq!(signal::action(SIGUSR1), libc::SIG_DFL);
        signal::raise(SIGUSR1);
    });
    assert_eq!(status, Status::Killed(SIGUSR1));
}

#[test]
fn a_fault_in_its_own_handler_kills() {
    extern "C" fn fault(_: i32, _: *mut siginfo_t, _: *mut c_void) {
        // SAFETY: the fault is what is tested.
        unsafe { (UNMAPPED as *mut u8).write_volatile(1) };
    }
    let status = child::status(|| {
        handle(SIGSEGV, 0, fault);
        // SAFETY: as above.
        unsafe { (UNMAPPED as *mut u8).write_volatile(1) };
    });
    assert_eq!(status, Status::Killed(SIGSEGV));
}

#[test]
fn a_fault_kills_while_its_signal_is_blocked_or_ignored() {
    let prepare: [fn(); 2] =
        [|| signal::block(&[SIGSEGV]), || signal::handle(SIGSEGV, 0, libc::SIG_IGN)];
    for prepare in prepare {
        let status = child::status(|| {
            prepare();
            // SAFETY: the fault is what is tested.
            unsafe { (UNMAPPED as *mut u8).write_volatile(1) };
        });
        assert_eq!(status, Status::Killed(SIGSEGV));
    }
}

#[test]
fn a_handler_may_change_where_the_program_goes_on() {
    extern "C" fn skip(_: i32, _: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a valid context; the faulting instruction is two bytes long.
        unsafe {
            let context = &mut *context.cast::<ucontext_t>();
            context.uc_mcontext.gregs[libc::REG_RIP as usize] += 2;
            context.uc_mcontext.gregs[libc::REG_RAX as usize] = 4711;
        }
    }
    child::run(|| {
        handle(SIGSEGV, 0, skip);
        let value: u64;
        // SAFETY: the load of two bytes, `mov eax, [rdi]`, is skipped by the handler.
        unsafe {
            asm!(".byte 0x8b, 0x07", in("rdi") UNMAPPED, out("rax") value);
        }
        assert_eq!(value, 4711);
    });
}

#[test]
fn sigaction_checks_its_arguments() {
    let call = |number: usize, new: usize, old: usize, size: usize| {
        // SAFETY: nothing of anybody's is written.
        unsafe { sys::call(libc::SYS_rt_sigaction, [number, new, old, size]) }
    };
    for number in [0, 65, usize::MAX] {
        assert_eq!(call(number, 0, 0, 8), Err(Errno::EINVAL));
    }
    assert_eq!(call(10, 0, 0, 4), Err(Errno::EINVAL));
    assert_eq!(call(10, UNMAPPED, 0, 8), Err(Errno::EFAULT));
    assert_eq!(call(10, 0, UNMAPPED, 8), Err(Errno::EFAULT));
    assert_eq!(call(65, UNMAPPED, 0, 8), Err(Errno::EFAULT));
    assert_eq!(call(9, 0, 0, 8), Ok(0), "looking at SIGKILL is allowed");
}

#[test]
fn handlers_nest() {
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn descend(_: i32, _: *mut siginfo_t, _: *mut c_void) {
        if DEPTH.fetch_add(1, Ordering::SeqCst) < 50 {
            signal::raise(SIGUSR1);
        }
    }
    child::run(|| {
        handle(SIGUSR1, libc::SA_NODEFER, descend);
        signal::raise(SIGUSR1);
        assert_eq!(DEPTH.load(Ordering::SeqCst), 51);
    });
}

#[test]
fn flags_that_mean_nothing_are_not_kept() {
    const EXPOSE_TAGBITS: u64 = 0x800;
    child::run(|| {
        let mut words = [libc::SIG_IGN as u64, !0_u64, 0, !0];
        let at = words.as_mut_ptr().addr();
        // SAFETY: the words are as large as the kernel's structure.
        unsafe {
            sys::call(libc::SYS_rt_sigaction, [SIGUSR1 as usize, at, 0, 8]).unwrap();
            sys::call(libc::SYS_rt_sigaction, [SIGUSR1 as usize, 0, at, 8]).unwrap();
        }
        let known = [
            libc::SA_NOCLDSTOP,
            libc::SA_NOCLDWAIT,
            libc::SA_SIGINFO,
            libc::SA_ONSTACK,
            libc::SA_RESTART,
            libc::SA_NODEFER,
            libc::SA_RESETHAND,
            0x0400_0000,
        ];
        let known = known.iter().fold(EXPOSE_TAGBITS, |all, &flag| all | u64::from(flag as u32));
        assert_eq!(words[1], known, "{:#x}", words[1]);
        assert_eq!(words[3], !signal::mask(&[libc::SIGKILL, libc::SIGSTOP]));
    });
}

#[test]
fn a_handler_for_once_that_does_not_block_its_signal_can_be_killed_by_it() {
    extern "C" fn again(number: i32, _: *mut siginfo_t, _: *mut c_void) {
        signal::raise(number);
    }
    let status = child::status(|| {
        handle(SIGUSR1, libc::SA_RESETHAND | libc::SA_NODEFER, again);
        signal::raise(SIGUSR1);
    });
    assert_eq!(status, Status::Killed(SIGUSR1));
    child::run(|| {
        handle(SIGUSR1, libc::SA_RESETHAND, record);
        signal::raise(SIGUSR1);
        assert_eq!(signal::action(SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn who_wants_no_zombies_still_hears_of_ends() {
    child::run(|| {
        signal::count(libc::SIGCHLD, libc::SA_NOCLDWAIT);
        let child = child::spawn(|| ());
        assert_eq!(child::wait4(child.pid(), 0), Err(Errno::ECHILD));
        assert_eq!(signal::seen(libc::SIGCHLD), 1);
        core::mem::forget(child);
    });
}

#[test]
fn who_does_not_want_to_hear_of_stops_does_not() {
    for (flags, heard) in [(libc::SA_NOCLDSTOP, 0), (0, 2)] {
        child::run(|| {
            signal::count(libc::SIGCHLD, flags | libc::SA_RESTART);
            let child = child::spawn(|| {
                loop {
                    std::thread::park();
                }
            });
            child.kill(libc::SIGSTOP);
            child::wait4(child.pid(), libc::WUNTRACED).unwrap();
            child.kill(libc::SIGCONT);
            child::wait4(child.pid(), libc::WCONTINUED).unwrap();
            time::settle();
            assert_eq!(signal::seen(libc::SIGCHLD), heard);
        });
    }
}
