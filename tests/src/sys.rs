//! Makes raw system calls, without a library in between.
//!
//! libc hides some of what the tests examine: the remaining time that `ppoll` and `pselect6` write
//! back, bad pointers that a wrapper reads first, and the size of a signal mask.

use core::arch::asm;

use crate::Errno;

/// The result of a system call.
pub type Result<T> = core::result::Result<T, Errno>;

/// Makes system call `number` with `arguments`; the missing ones of six are zero.
///
/// # Safety
/// Memory that the call makes the kernel write must belong to the caller.
pub unsafe fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    let mut six = [0; 6];
    six[..N].copy_from_slice(&arguments);
    let returned: isize;
    // SAFETY: the caller answers for the memory; the registers are those that the ABI clobbers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => returned,
            in("rdi") six[0], in("rsi") six[1], in("rdx") six[2],
            in("r10") six[3], in("r8") six[4], in("r9") six[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    if (-4095..0).contains(&returned) {
        return Err(Errno(-returned as i32));
    }
    Ok(returned as usize)
}

/// Returns the thread's ID.
pub fn gettid() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::gettid() }
}

/// Returns the process's ID.
pub fn getpid() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::getpid() }
}
