//! sigaction(2), sigaltstack(2): what a handler is told, where it runs, and what it must not disturb.

use core::arch::asm;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{SA_SIGINFO, SIGALRM, SIGSEGV, SIGUSR1, SIGUSR2, c_void, siginfo_t, ucontext_t};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, PAGE, Pages, UNMAPPED};
use pollux_tests::time::ms;
use pollux_tests::{Errno, signal, sys};

type Handler = extern "C" fn(i32, *mut siginfo_t, *mut c_void);

/// Installs a handler that is told everything.
fn handle(number: i32, flags: i32, handler: Handler) {
    signal::handle(number, flags | SA_SIGINFO, handler as usize);
}

/// What the last call of `record` was told.
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

/// As `record`, and the process ends: the fault would come again.
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

/// The codes of SIGSEGV: nothing is mapped there, and what is mapped does not allow it.
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
fn a_handler_may_run_on_a_stack_of_its_own() {
    static PLACE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn look(_: i32, _: *mut siginfo_t, _: *mut c_void) {
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
    extern "C" fn exit(_: i32, _: *mut siginfo_t, _: *mut c_void) {
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
    assert_eq!(call(9, 0, 0, 8), Ok(0), "looking at SIGKILL is allowed");
}

/// Counts, and leaves other values in every register that the ABI lets it change.
extern "C" fn disturb(_: i32, _: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: all the registers named are declared as changed.
    unsafe {
        asm!(
            "xor eax, eax",
            "mov rcx, -1",
            "mov rdx, -1",
            "mov rsi, -1",
            "mov rdi, -1",
            "mov r8, -1",
            "mov r9, -1",
            "mov r10, -1",
            "mov r11, -1",
            "pcmpeqd xmm0, xmm0",
            "pcmpeqd xmm1, xmm1",
            "pcmpeqd xmm2, xmm2",
            "pcmpeqd xmm3, xmm3",
            "pcmpeqd xmm4, xmm4",
            "pcmpeqd xmm5, xmm5",
            "pcmpeqd xmm6, xmm6",
            "pcmpeqd xmm7, xmm7",
            "pcmpeqd xmm8, xmm8",
            "pcmpeqd xmm9, xmm9",
            "pcmpeqd xmm10, xmm10",
            "pcmpeqd xmm11, xmm11",
            "pcmpeqd xmm12, xmm12",
            "pcmpeqd xmm13, xmm13",
            "pcmpeqd xmm14, xmm14",
            "pcmpeqd xmm15, xmm15",
            "fninit",
            "fldpi",
            clobber_abi("C"),
        );
    }
    DISTURBED.fetch_add(1, Ordering::SeqCst);
}

static DISTURBED: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` with the address of a word that the handler counts up, under a timer.
fn disturbed(work: impl FnOnce(*mut usize)) {
    child::run(|| {
        handle(SIGALRM, 0, disturb);
        signal::alarm_every(ms(1), ms(1));
        work(DISTURBED.as_ptr());
        assert!(DISTURBED.load(Ordering::SeqCst) >= 3);
    });
}

#[test]
fn the_general_registers_the_flags_and_the_red_zone_survive_a_handler() {
    disturbed(|count| {
        let mut wrong: u64 = 0x1111;
        // SAFETY: rbx and rbp are saved below the red zone; the direction flag is cleared again.
        unsafe {
            asm!(
                "sub rsp, 256", "push rbx", "push rbp",
                "mov rbx, 0x2222", "mov rbp, 0x3333", "mov rcx, 0x4444", "mov rdx, 0x5555",
                "mov r8, 0x6666", "mov r9, 0x7777", "mov r10, 0x8888", "mov r11, 0x9999",
                "mov r12, 0xaaaa", "mov r13, 0xbbbb", "mov r14, 0xcccc", "mov r15, 0xdddd",
                "mov qword ptr [rsp - 8], 0x1234", "mov qword ptr [rsp - 128], 0x5678",
                "std",
                "2:", "cmp qword ptr [rdi], 3", "jb 2b",
                "pushfq", "pop rax", "bt rax, 10", "cld", "mov rax, 1", "cmovnc rsi, rax",
                "cmp rbx, 0x2222", "cmovne rsi, rax", "cmp rbp, 0x3333", "cmovne rsi, rax",
                "cmp rcx, 0x4444", "cmovne rsi, rax", "cmp rdx, 0x5555", "cmovne rsi, rax",
                "cmp r8, 0x6666", "cmovne rsi, rax", "cmp r9, 0x7777", "cmovne rsi, rax",
                "cmp r10, 0x8888", "cmovne rsi, rax", "cmp r11, 0x9999", "cmovne rsi, rax",
                "cmp r12, 0xaaaa", "cmovne rsi, rax", "cmp r13, 0xbbbb", "cmovne rsi, rax",
                "cmp r14, 0xcccc", "cmovne rsi, rax", "cmp r15, 0xdddd", "cmovne rsi, rax",
                "cmp qword ptr [rsp - 128], 0x5678", "cmovne rsi, rax",
                "pop rbp", "pop rbx", "add rsp, 256",
                in("rdi") count, inout("rsi") wrong, out("rax") _, out("rcx") _, out("rdx") _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _,
                out("r14") _, out("r15") _,
            );
        }
        assert_eq!(wrong, 0x1111);
    });
}

#[test]
fn the_vector_registers_and_the_rounding_mode_survive_a_handler() {
    disturbed(|count| {
        let values: [[u64; 2]; 16] = core::array::from_fn(|i| [i as u64 + 1, !(i as u64)]);
        let mut found = [[0_u64; 2]; 16];
        let (rounding_down, default) = (0x3f80_u32, 0x1f80_u32);
        let mut control = 0_u32;
        // SAFETY: the arrays are as large as what is moved; the control word is put back.
        unsafe {
            asm!(
                "ldmxcsr [{down}]",
                "movdqu xmm0, [rsi]", "movdqu xmm1, [rsi + 16]", "movdqu xmm2, [rsi + 32]",
                "movdqu xmm3, [rsi + 48]", "movdqu xmm4, [rsi + 64]", "movdqu xmm5, [rsi + 80]",
                "movdqu xmm6, [rsi + 96]", "movdqu xmm7, [rsi + 112]", "movdqu xmm8, [rsi + 128]",
                "movdqu xmm9, [rsi + 144]", "movdqu xmm10, [rsi + 160]",
                "movdqu xmm11, [rsi + 176]", "movdqu xmm12, [rsi + 192]",
                "movdqu xmm13, [rsi + 208]", "movdqu xmm14, [rsi + 224]",
                "movdqu xmm15, [rsi + 240]",
                "2:", "cmp qword ptr [rdi], 3", "jb 2b",
                "movdqu [rdx], xmm0", "movdqu [rdx + 16], xmm1", "movdqu [rdx + 32], xmm2",
                "movdqu [rdx + 48], xmm3", "movdqu [rdx + 64], xmm4", "movdqu [rdx + 80], xmm5",
                "movdqu [rdx + 96], xmm6", "movdqu [rdx + 112], xmm7", "movdqu [rdx + 128], xmm8",
                "movdqu [rdx + 144], xmm9", "movdqu [rdx + 160], xmm10",
                "movdqu [rdx + 176], xmm11", "movdqu [rdx + 192], xmm12",
                "movdqu [rdx + 208], xmm13", "movdqu [rdx + 224], xmm14",
                "movdqu [rdx + 240], xmm15",
                "stmxcsr [{control}]", "ldmxcsr [{default}]",
                in("rdi") count, in("rsi") &values, in("rdx") &mut found,
                down = in(reg) &rounding_down, control = in(reg) &mut control,
                default = in(reg) &default,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _,
                out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _,
                out("xmm15") _,
            );
        }
        assert_eq!(found, values);
        assert_eq!(control, rounding_down);
    });
}

#[test]
fn the_floating_point_stack_survives_a_handler() {
    disturbed(|count| {
        let value = 1.5_f64;
        let mut found = [0.0_f64; 2];
        // SAFETY: two values are pushed and two are popped.
        unsafe {
            asm!(
                "fld qword ptr [rsi]", "fld1",
                "2:", "cmp qword ptr [rdi], 3", "jb 2b",
                "fstp qword ptr [rdx]", "fstp qword ptr [rdx + 8]",
                in("rdi") count, in("rsi") &value, in("rdx") &mut found,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            );
        }
        assert_eq!(found, [1.0, 1.5]);
    });
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
