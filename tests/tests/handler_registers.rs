//! signal(7): a handler changes no register of the program it interrupts.

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};

use libc::SIGALRM;
use pollux_tests::time::ms;
use pollux_tests::{child, signal};

/// Counts, and changes every register that the ABI allows a function to change.
extern "C" fn disturb(_: i32) {
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
        signal::handle(SIGALRM, 0, disturb as extern "C" fn(i32) as usize);
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
