//! sigreturn(2): a program may write its signal frame, but no frame gives it more rights.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use libc::{REG_CSGSFS, REG_EFL, REG_RIP, REG_RSP, SIGILL, SIGSEGV, SIGUSR1, c_void, siginfo_t};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{KERNEL, NON_CANONICAL, UNMAPPED};
use pollux_tests::random::Random;
use pollux_tests::time::ms;
use pollux_tests::{limit, signal};

/// The change that the handler makes in its frame, and the value.
static CHANGE: AtomicUsize = AtomicUsize::new(0);
static VALUE: AtomicU64 = AtomicU64::new(0);

/// Numbers of changes other than those of a general register, which have the register's number in `ucontext_t`.
const FLOATING_POINT_AT: usize = 100;
const ALL_RANDOM: usize = 200;
const REGISTERS_RANDOM: usize = 201;
const FLOATING_POINT_RANDOM: usize = 202;
const FLOATING_POINT_POINTER: usize = 203;

extern "C" fn change(_: i32, _: *mut siginfo_t, context: *mut c_void) {
    let value = VALUE.load(Ordering::SeqCst);
    // SAFETY: the kernel passes a valid context; what is written is what is tested.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let area = context.uc_mcontext.fpregs.cast::<u8>();
        let randomise = |start: *mut u8, len: usize| {
            Random::new(value).fill(core::slice::from_raw_parts_mut(start, len));
        };
        match CHANGE.load(Ordering::SeqCst) {
            register @ 0..23 => context.uc_mcontext.gregs[register] = value as i64,
            FLOATING_POINT_POINTER => context.uc_mcontext.fpregs = value as *mut _,
            ALL_RANDOM => randomise((&raw mut *context).cast(), 304),
            REGISTERS_RANDOM => randomise(context.uc_mcontext.gregs.as_mut_ptr().cast(), 23 * 8),
            FLOATING_POINT_RANDOM => randomise(area, 512 + 64 + 64),
            at => area.add(at - FLOATING_POINT_AT).cast::<u32>().write_unaligned(value as u32),
        }
    }
}

/// Returns through a frame in which `place` was changed to `value`; then runs `after`.
fn returning(place: usize, value: u64, after: fn()) -> Status {
    child::status(|| {
        limit::lower(libc::RLIMIT_CORE, 0);
        // A frame that leads into an endless loop ends here.
        signal::default(libc::SIGALRM);
        signal::alarm(ms(200));
        CHANGE.store(place, Ordering::SeqCst);
        VALUE.store(value, Ordering::SeqCst);
        let handler = change as extern "C" fn(i32, *mut siginfo_t, *mut c_void) as usize;
        signal::handle(SIGUSR1, libc::SA_SIGINFO, handler);
        signal::raise(SIGUSR1);
        after();
    })
}

const KILLED: Status = Status::Killed(SIGSEGV);

#[test]
fn a_frame_that_was_not_touched_is_harmless() {
    let eax = libc::REG_RAX as usize;
    assert_eq!(returning(eax, 0, || {}), Status::Exited(0));
}

#[test]
fn a_bad_instruction_pointer_is_sigsegv() {
    for address in [0, UNMAPPED, KERNEL, NON_CANONICAL, usize::MAX, 0x8000_0000_0000] {
        assert_eq!(returning(REG_RIP as usize, address as u64, || {}), KILLED, "{address:#x}");
    }
}

#[test]
fn a_bad_stack_pointer_kills_at_its_first_use() {
    for address in [0, UNMAPPED, KERNEL, usize::MAX] {
        assert_eq!(returning(REG_RSP as usize, address as u64, || {}), KILLED, "{address:#x}");
    }
    // A processor raises its stack exception here, an emulator may not know it.
    let status = returning(REG_RSP as usize, NON_CANONICAL as u64, || {});
    assert!(matches!(status, KILLED | Status::Killed(libc::SIGBUS)), "{status:?}");
}

#[test]
fn kernel_and_made_up_segments_are_not_loaded() {
    // The code segment is the lowest of four numbers of 16 bits, the stack segment the highest.
    for (code, stack) in [(0x08, 0x2b), (0x10, 0x2b), (0x33, 0x10), (0xffff, 0xffff), (0, 0)] {
        let status = returning(REG_CSGSFS as usize, stack << 48 | code, || {});
        assert!(matches!(status, Status::Exited(0) | KILLED), "{code:#x} {stack:#x}: {status:?}");
    }
}

#[test]
fn the_flags_give_no_ports_and_keep_interrupts_on() {
    // All but single-stepping and the check of alignment, which the program may have.
    let all = !0x4_0100;
    assert_eq!(returning(REG_EFL as usize, all, || {}), Status::Exited(0));
    // SAFETY: the fault is what is tested.
    let port = || unsafe { asm!("cld", "out 0x80, al") };
    assert_eq!(returning(REG_EFL as usize, all, port), KILLED);
    // With interrupts off this loop would never see its alarm.
    let spin = || {
        loop {
            core::hint::spin_loop();
        }
    };
    assert_eq!(returning(REG_EFL as usize, 0, spin), Status::Killed(libc::SIGALRM));
    assert_eq!(returning(REG_EFL as usize, 0x100, || {}), Status::Killed(libc::SIGTRAP));
}

#[test]
fn a_bad_floating_point_area_is_sigsegv() {
    for address in [UNMAPPED, KERNEL, NON_CANONICAL, usize::MAX, 1] {
        assert_eq!(
            returning(FLOATING_POINT_POINTER, address as u64, || {}),
            KILLED,
            "{address:#x}"
        );
    }
}

#[test]
fn no_floating_point_area_resets_the_registers() {
    assert_eq!(returning(FLOATING_POINT_POINTER, 0, || {}), Status::Exited(0));
}

#[test]
fn reserved_bits_of_the_floating_point_area_do_no_harm() {
    // The control word, its mask, the magic numbers and sizes, and the header of the extended area.
    let places = [24, 28, 464, 468, 472, 480, 508, 512, 516, 520, 524, 528, 532, 540, 568];
    for place in places {
        for value in [0, 0xffff_ffff, 0x8000_0000, 0x1_0000] {
            let status = returning(FLOATING_POINT_AT + place, value, || {});
            assert!(
                matches!(status, Status::Exited(0) | KILLED),
                "byte {place} = {value:#x}: {status:?}"
            );
        }
    }
}

#[test]
fn a_random_frame_ends_the_program_at_most() {
    for place in [ALL_RANDOM, REGISTERS_RANDOM, FLOATING_POINT_RANDOM] {
        for seed in 0..30 {
            match returning(place, seed, || {}) {
                Status::Exited(0) => {}
                Status::Killed(SIGSEGV | SIGILL | libc::SIGTRAP | libc::SIGALRM | libc::SIGBUS) => {
                }
                Status::Killed(libc::SIGFPE) if place != REGISTERS_RANDOM => {}
                other => panic!("place {place}, seed {seed}: {other:?}"),
            }
        }
    }
}

#[test]
fn returning_from_no_handler_is_sigsegv() {
    for address in [0, UNMAPPED, KERNEL, NON_CANONICAL, usize::MAX - 15] {
        let status = child::status(|| {
            limit::lower(libc::RLIMIT_CORE, 0);
            // SAFETY: there is no way back, and none is taken.
            unsafe {
                asm!("mov rsp, {}", "mov eax, 15", "syscall", "ud2",
                    in(reg) address, options(noreturn));
            }
        });
        assert_eq!(status, KILLED, "{address:#x}");
    }
}

#[test]
fn a_stack_of_random_words_is_no_way_to_power() {
    for seed in 0..50 {
        let status = child::status(|| {
            limit::lower(libc::RLIMIT_CORE, 0);
            signal::alarm(ms(200));
            let mut random = Random::new(seed);
            let mut frame: Vec<_> = (0..1024).map(|_| random.next_u64()).collect();
            // Half of them have an area of floating point state that looks right at first.
            if seed % 2 == 0 {
                frame[28] = frame.as_ptr() as u64 + 4096;
            }
            // SAFETY: the kernel reads the frame; what then runs is what is tested.
            unsafe {
                asm!("mov rsp, {}", "mov eax, 15", "syscall", "ud2",
                    in(reg) frame.as_ptr(), options(noreturn));
            }
        });
        let fatal = [SIGSEGV, SIGILL, libc::SIGTRAP, libc::SIGALRM, libc::SIGBUS];
        assert!(
            matches!(status, Status::Killed(signal) if fatal.contains(&signal)),
            "seed {seed}: {status:?}"
        );
    }
}
