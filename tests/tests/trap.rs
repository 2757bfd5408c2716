//! signal(7): a processor exception affects the program that caused it, and nothing else.
//!
//! Each case runs in a child; its parent's survival is half of the test.

use core::arch::asm;

use libc::{SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, KERNEL, NON_CANONICAL, PAGE, Pages, UNMAPPED};
use pollux_tests::time::ms;
use pollux_tests::{Errno, limit, signal, sys};

/// Runs `work`, which must be killed by `signal`.
#[track_caller]
fn killed_by(signal: i32, work: impl FnOnce()) {
    let status = child::status(|| {
        limit::lower(libc::RLIMIT_CORE, 0);
        work();
    });
    assert_eq!(status, Status::Killed(signal));
}

/// Executes one instruction, which must end in this signal.
macro_rules! killed_by_instruction {
    ($signal:expr, $($instruction:literal),+) => {
        // SAFETY: none of these returns.
        killed_by($signal, || unsafe { asm!($($instruction),+, options(noreturn)) })
    };
}

fn read(address: usize) -> u8 {
    // SAFETY: the fault is what is tested.
    unsafe { (address as *const u8).read_volatile() }
}

fn write(address: usize) {
    // SAFETY: the fault is what is tested.
    unsafe { (address as *mut u8).write_volatile(1) };
}

fn jump(address: usize) {
    // SAFETY: the fault is what is tested.
    unsafe { asm!("jmp {}", in(reg) address, options(noreturn)) }
}

const BAD_ADDRESSES: [usize; 7] = [
    0,
    UNMAPPED,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    KERNEL,
    0xffff_ffff_8000_0000,
    usize::MAX - 8,
];

#[test]
fn touching_a_bad_address_is_sigsegv() {
    for address in BAD_ADDRESSES.into_iter().chain([NON_CANONICAL]) {
        killed_by(SIGSEGV, || _ = read(address));
        killed_by(SIGSEGV, || write(address));
        killed_by(SIGSEGV, || jump(address));
    }
}

#[test]
fn code_cannot_be_written_and_data_cannot_be_executed() {
    killed_by(SIGSEGV, || write(write as fn(usize) as usize));
    let page = memory::map(1).unwrap();
    // SAFETY: the page is ours; 0xc3 is `ret`.
    unsafe { (page as *mut u8).write(0xc3) };
    killed_by(SIGSEGV, || jump(page));
    memory::unmap(page, 1);
}

#[test]
fn dividing_by_zero_is_sigfpe() {
    killed_by_instruction!(SIGFPE, "xor edx, edx", "xor ecx, ecx", "div ecx");
    killed_by_instruction!(SIGFPE, "mov eax, 0x80000000", "cdq", "mov ecx, -1", "idiv ecx");
}

#[test]
fn an_unmasked_floating_point_exception_is_sigfpe() {
    killed_by(SIGFPE, || {
        let control = 0x37b_u16;
        // SAFETY: the signal is what is tested.
        unsafe {
            asm!("fninit", "fldcw [{}]", "fld1", "fldz", "fdivp", "fwait", in(reg) &control);
        }
    });
}

/// An emulator need not raise this exception; where it is raised, it is a signal.
#[test]
fn an_unmasked_vector_exception_is_at_most_sigfpe() {
    let status = child::status(|| {
        let control = 0x1f80_u32 & !0x200;
        // SAFETY: the signal is what is tested; the control word is put back.
        unsafe {
            asm!(
                "ldmxcsr [{}]", "pxor xmm0, xmm0", "mov eax, 1", "cvtsi2sd xmm1, eax",
                "divsd xmm1, xmm0", "ldmxcsr [{}]",
                in(reg) &control, in(reg) &0x1f80_u32,
                out("xmm0") _, out("xmm1") _, out("eax") _,
            );
        }
    });
    assert!(matches!(status, Status::Exited(0) | Status::Killed(SIGFPE)), "{status:?}");
}

#[test]
fn an_undefined_instruction_is_sigill() {
    killed_by_instruction!(SIGILL, "ud2");
    killed_by_instruction!(SIGILL, ".byte 0x06");
    killed_by_instruction!(SIGILL, "lock", "nop");
}

#[test]
fn a_breakpoint_and_a_single_step_are_sigtrap() {
    killed_by_instruction!(SIGTRAP, "int3", "ud2");
    killed_by_instruction!(SIGTRAP, "pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop", "ud2");
}

#[test]
fn a_privileged_instruction_is_sigsegv() {
    killed_by_instruction!(SIGSEGV, "hlt");
    killed_by_instruction!(SIGSEGV, "cli");
    killed_by_instruction!(SIGSEGV, "sti");
    killed_by_instruction!(SIGSEGV, "in al, 0x60");
    killed_by_instruction!(SIGSEGV, "out 0x80, al");
    killed_by_instruction!(SIGSEGV, "mov rax, cr0");
    killed_by_instruction!(SIGSEGV, "mov cr3, rax");
    killed_by_instruction!(SIGSEGV, "mov dr7, rax");
    killed_by_instruction!(SIGSEGV, "mov ecx, 0xc0000080", "rdmsr");
    killed_by_instruction!(SIGSEGV, "mov ecx, 0xc0000080", "wrmsr");
    killed_by_instruction!(SIGSEGV, "lgdt [rsp]");
    killed_by_instruction!(SIGSEGV, "lidt [rsp]");
    killed_by_instruction!(SIGSEGV, "ltr ax");
    killed_by_instruction!(SIGSEGV, "swapgs");
    killed_by_instruction!(SIGSEGV, "sysretq");
    killed_by_instruction!(SIGSEGV, "invlpg [rsp]");
    killed_by_instruction!(SIGSEGV, "clts");
    killed_by_instruction!(SIGSEGV, "xor ecx, ecx", "xsetbv");
}

#[test]
fn a_software_interrupt_of_the_kernels_own_is_sigsegv() {
    killed_by_instruction!(SIGSEGV, "int 0x00");
    killed_by_instruction!(SIGSEGV, "int 0x08");
    killed_by_instruction!(SIGSEGV, "int 0x0e");
    killed_by_instruction!(SIGSEGV, "int 0x20");
    killed_by_instruction!(SIGSEGV, "int 0xf0");
    killed_by_instruction!(SIGSEGV, "int 0xff");
}

/// Linux offers 32-bit system calls there if it is built to; a kernel without them refuses.
#[test]
fn the_old_system_call_gates_harm_nobody() {
    let survives = |work: fn()| match child::status(work) {
        Status::Exited(0) | Status::Killed(SIGSEGV | SIGILL) => {}
        other => panic!("{other:?}"),
    };
    survives(|| {
        // SAFETY: call number -1 does nothing, in either ABI.
        unsafe {
            asm!(
                "int 0x80",
                inout("rax") -1_isize as usize => _, out("rcx") _, out("r8") _, out("r9") _,
                out("r10") _, out("r11") _,
            );
        }
    });
    survives(|| {
        // SAFETY: where it leads anywhere it returns to nowhere.
        unsafe { asm!("sysenter", in("eax") -1_i32, options(noreturn)) }
    });
}

#[test]
fn the_kernels_code_segment_cannot_be_entered() {
    for selector in [0x08_u16, 0x10, 0x18, 0x1000, 0xfff8] {
        let target = [0x1000_0000_u32, u32::from(selector)];
        // SAFETY: the jump is refused.
        killed_by(SIGSEGV, || unsafe {
            asm!("jmp fword ptr [{}]", in(reg) &target, options(noreturn))
        });
    }
}

#[test]
fn a_bad_segment_selector_is_sigsegv() {
    killed_by_instruction!(SIGSEGV, "mov eax, 0x08", "mov ds, eax", "ud2");
    killed_by_instruction!(SIGSEGV, "mov eax, 0x1003", "mov es, eax", "ud2");
    killed_by_instruction!(SIGSEGV, "mov eax, 0x10", "mov ss, eax", "ud2");
}

#[test]
fn null_selectors_are_harmless() {
    child::run(|| {
        // SAFETY: in 64-bit mode the bases of these segments are not used.
        unsafe {
            asm!("xor eax, eax", "mov ds, eax", "mov es, eax", out("eax") _);
        }
        assert_eq!(sys::getpid(), sys::gettid());
    });
}

#[test]
fn a_stack_pointer_may_be_anything_between_two_uses() {
    for address in BAD_ADDRESSES.into_iter().chain([NON_CANONICAL, 1]) {
        child::run(|| {
            let returned: usize;
            // SAFETY: the stack is not used while its pointer is bad; interrupts and calls come.
            unsafe {
                asm!(
                    "mov r12, rsp", "mov rsp, {bad}",
                    "mov r13d, 3000000", "2:", "dec r13d", "jnz 2b",
                    "mov eax, 39", "syscall",
                    "mov rsp, r12",
                    bad = in(reg) address, out("rax") returned, out("rcx") _, out("r11") _,
                    out("r12") _, out("r13") _,
                );
            }
            assert_eq!(returned as i32, sys::getpid());
        });
    }
}

#[test]
fn a_handler_without_a_stack_kills() {
    for address in BAD_ADDRESSES.into_iter().chain([NON_CANONICAL, 1, 256]) {
        killed_by(SIGSEGV, || {
            signal::count(libc::SIGALRM, 0);
            signal::alarm(ms(5));
            // SAFETY: the stack is not used by this loop.
            unsafe { asm!("mov rsp, {}", "2: jmp 2b", in(reg) address, options(noreturn)) }
        });
    }
}

#[test]
fn odd_flags_do_not_reach_the_kernel() {
    // Direction, alignment check, nested task, identification.
    for flag in [1_u64 << 10, 1 << 18, 1 << 14, 1 << 21] {
        child::run(|| {
            let returned: usize;
            // SAFETY: the flags are put back before the compiler's code goes on.
            unsafe {
                asm!(
                    "pushfq", "pop r12", "mov r13, r12", "or r13, {flag}", "push r13", "popfq",
                    "mov r14d, 3000000", "2:", "dec r14d", "jnz 2b",
                    "mov eax, 39", "syscall",
                    "push r12", "popfq",
                    flag = in(reg) flag, out("rax") returned, out("rcx") _, out("r11") _,
                    out("r12") _, out("r13") _, out("r14") _,
                );
            }
            assert_eq!(returned as i32, sys::getpid());
        });
    }
}

#[test]
fn interrupts_and_ports_cannot_be_had_by_popping_flags() {
    child::run(|| {
        let flags: u64;
        // SAFETY: the processor ignores what user mode may not change.
        unsafe {
            asm!("pushfq", "mov rax, [rsp]", "xor qword ptr [rsp], 0x3200", "popfq", "pushfq",
                "pop {now}", "push rax", "popfq", now = out(reg) flags, out("rax") _);
        }
        assert_eq!(flags & 0x3200, 0x200, "interrupts on, no ports");
    });
}

#[test]
fn a_system_call_that_is_stepped_returns_first() {
    killed_by_instruction!(
        SIGTRAP,
        "pushfq",
        "or qword ptr [rsp], 0x100",
        "mov eax, 39",
        "popfq",
        "syscall",
        "nop",
        "ud2"
    );
}

#[test]
fn a_thread_pointer_must_be_a_users_address() {
    let arch_prctl = |code: usize, address: usize| {
        // SAFETY: the values are refused.
        unsafe { sys::call(libc::SYS_arch_prctl, [code, address]) }
    };
    child::run(|| {
        let (set_gs, set_fs) = (0x1001, 0x1002);
        for code in [set_gs, set_fs] {
            for address in [KERNEL, NON_CANONICAL] {
                assert_eq!(arch_prctl(code, address), Err(Errno::EPERM));
            }
        }
        assert_eq!(arch_prctl(set_gs, 0x7000), Ok(0));
        assert_eq!(arch_prctl(0x9999, 0), Err(Errno::EINVAL));
    });
}

#[test]
fn nothing_can_be_mapped_outside_the_users_half() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let protection = libc::PROT_READ as usize;
    for address in [KERNEL, NON_CANONICAL, KERNEL - PAGE, usize::MAX - PAGE + 1] {
        let arguments = [address, PAGE, protection, flags as usize, usize::MAX, 0];
        // SAFETY: it is refused.
        assert_eq!(unsafe { sys::call(libc::SYS_mmap, arguments) }, Err(Errno::ENOMEM));
    }
}

#[test]
fn an_exception_in_one_thread_ends_the_process() {
    killed_by(SIGSEGV, || {
        std::thread::spawn(|| write(UNMAPPED));
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn a_thousand_faults_leave_no_trace() {
    let pages = Pages::before_hole(1);
    for _ in 0..100 {
        killed_by(SIGSEGV, || _ = read(pages.end()));
    }
}
