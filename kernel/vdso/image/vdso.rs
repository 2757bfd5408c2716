//! The program's side of the vDSO: runs in user mode, with the ABI of C, on the caller's stack.
//!
//! Source: vdso(7), clock_gettime(2), getcpu(2).

#![no_std]

use core::arch::asm;

#[path = "../src/data.rs"]
mod data;

use data::Data;

const NANOS: u64 = 1_000_000_000;

const SYS_GETTIMEOFDAY: usize = 96;
const SYS_TIME: usize = 201;
const SYS_CLOCK_GETTIME: usize = 228;
const SYS_CLOCK_GETRES: usize = 229;
const SYS_GETCPU: usize = 309;

/// `struct timespec`, and `struct timeval` with another unit.
#[repr(C)]
pub struct Time {
    seconds: u64,
    fraction: u64,
}

/// What a clock counts from.
enum Epoch {
    Start,
    Year1970,
}

/// Returns the epoch of a clock that needs nothing but the data page.
#[inline(always)]
fn epoch(clock: i32) -> Option<Epoch> {
    // As bits, because a jump table would need a relocation.
    const REALTIME: u32 = 1 << 0 | 1 << 5 | 1 << 8 | 1 << 11;
    const MONOTONIC: u32 = 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 9;
    let bit = if (clock as u32) < 32 { 1u32 << clock } else { 0 };
    if bit & MONOTONIC != 0 {
        Some(Epoch::Start)
    } else if bit & REALTIME != 0 {
        Some(Epoch::Year1970)
    } else {
        None
    }
}

/// Returns the time in nanoseconds; `None` if only the kernel can tell it.
#[inline(always)]
fn now(epoch: Epoch) -> Option<u64> {
    let data: *const Data;
    // SAFETY: this computes an address. The linker script puts the symbol where the kernel maps the page.
    unsafe { asm!("lea {}, [rip + vdso_data]", out(reg) data, options(pure, nomem, nostack, preserves_flags)) };
    // SAFETY: the kernel maps the page together with the image; all of it is atomic.
    let (figures, count) = unsafe { &*data }.read(counter)?;
    let since_start = figures.nanoseconds(count);
    Some(match epoch {
        Epoch::Start => since_start,
        Epoch::Year1970 => since_start.wrapping_add(figures.realtime),
    })
}

/// Reads the time-stamp counter, after all loads before it.
#[inline(always)]
fn counter() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: the kernel lets programs read the counter (CR4.TSD is clear).
    unsafe { asm!("lfence", "rdtsc", out("rax") low, out("rdx") high, options(nostack, preserves_flags)) };
    high << 32 | low
}

/// Asks the kernel.
#[inline(always)]
fn syscall(number: usize, first: usize, second: usize, third: usize) -> isize {
    let result;
    // SAFETY: the kernel checks the arguments, which are the caller's own.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") first, in("rsi") second,
             in("rdx") third, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// clock_gettime(2).
///
/// # Safety
/// `at` points to a `struct timespec`. Unlike the system call, this does not return `EFAULT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_gettime(clock: i32, at: *mut Time) -> i32 {
    if let Some(epoch) = epoch(clock)
        && let Some(nanos) = now(epoch)
    {
        // SAFETY: the caller's promise.
        unsafe { at.write(Time { seconds: nanos / NANOS, fraction: nanos % NANOS }) };
        return 0;
    }
    syscall(SYS_CLOCK_GETTIME, clock as usize, at as usize, 0) as i32
}

/// clock_getres(2).
///
/// # Safety
/// `at` is null or points to a `struct timespec`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_getres(clock: i32, at: *mut Time) -> i32 {
    syscall(SYS_CLOCK_GETRES, clock as usize, at as usize, 0) as i32
}

/// gettimeofday(2).
///
/// # Safety
/// `at` is null or points to a `struct timeval`, `zone` is null or points to a `struct timezone`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_gettimeofday(at: *mut Time, zone: *mut u64) -> i32 {
    let Some(nanos) = now(Epoch::Year1970) else {
        return syscall(SYS_GETTIMEOFDAY, at as usize, zone as usize, 0) as i32;
    };
    if !at.is_null() {
        // SAFETY: the caller's promise.
        unsafe { at.write(Time { seconds: nanos / NANOS, fraction: nanos % NANOS / 1000 }) };
    }
    if !zone.is_null() {
        // SAFETY: the caller's promise; a `struct timezone` is two `int`s, which need less alignment.
        unsafe { zone.write_unaligned(0) };
    }
    0
}

/// time(2).
///
/// # Safety
/// `at` is null or points to a `time_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_time(at: *mut u64) -> isize {
    let Some(nanos) = now(Epoch::Year1970) else {
        return syscall(SYS_TIME, at as usize, 0, 0);
    };
    let seconds = nanos / NANOS;
    if !at.is_null() {
        // SAFETY: the caller's promise.
        unsafe { at.write(seconds) };
    }
    seconds as isize
}

/// getcpu(2).
///
/// # Safety
/// `cpu` and `node` are null or point to an `unsigned int`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, _cache: *mut u8) -> i32 {
    syscall(SYS_GETCPU, cpu as usize, node as usize, 0) as i32
}
