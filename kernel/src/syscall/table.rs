//! Which number is which syscall.
//!
//! Source: Linux 6.1 arch/x86/entry/syscalls/syscall_64.tbl.

use core::sync::atomic::{AtomicU64, Ordering};

use model::abi::errno::Errno;

use super::context::Context;
use super::{clone, execve, exit, futex, identity, limits, memory, signal, system, time, wait};

/// Numbers below this are in use on Linux 6.1.
const NUMBERS: usize = 451;

/// Performs a syscall. `None` says that the registers are already as they shall be.
///
/// # Errors
/// What the syscall returns; `ENOSYS` for one that does not exist here.
pub(super) fn call(cx: &mut Context<'_>, number: usize, a: [usize; 6]) -> Result<Option<usize>, Errno> {
    let result = match number {
        9 => memory::mmap(cx.space(), a[0], a[1], a[2] as u32, a[3] as u32, || Err(Errno::EBADF), a[5] as u64),
        10 => memory::mprotect(cx.space(), a[0], a[1], a[2] as u32),
        11 => memory::munmap(cx.space(), a[0], a[1]),
        12 => memory::brk(cx.space(), a[0]),
        13 => signal::rt_sigaction(cx, a[0], a[1], a[2], a[3]),
        14 => signal::rt_sigprocmask(cx, a[0], a[1], a[2], a[3]),
        15 => {
            signal::rt_sigreturn(cx);
            return Ok(None);
        }
        24 => {
            ostd::task::Task::yield_now();
            Ok(0)
        }
        34 => signal::pause(cx),
        35 => time::nanosleep(cx, a[0], a[1]),
        39 => identity::getpid(cx),
        56 => clone::clone(cx, [a[0], a[1], a[2], a[3], a[4]]),
        57 => clone::fork(cx),
        58 => clone::vfork(cx),
        59 => {
            execve::execve(cx, a[0], a[1], a[2])?;
            return Ok(None);
        }
        60 => exit::exit(cx, a[0]),
        61 => wait::wait4(cx, a[0], a[1], a[2], a[3]),
        62 => signal::kill(cx, a[0], a[1]),
        63 => system::uname(cx, a[0]),
        96 => time::gettimeofday(cx, a[0], a[1]),
        97 => limits::prlimit(cx, 0, a[0], 0, a[1]),
        99 => system::sysinfo(cx, a[0]),
        102 | 107 => identity::getuid(cx),
        104 | 108 => identity::getgid(cx),
        105 => identity::setuid(cx, a[0]),
        106 => identity::setgid(cx, a[0]),
        109 => identity::setpgid(cx, a[0], a[1]),
        110 => identity::getppid(cx),
        111 => identity::getpgid(cx, 0),
        112 => identity::setsid(cx),
        113 | 117 => identity::setuid(cx, a[1]),
        114 | 119 => identity::setgid(cx, a[1]),
        116 => Ok(0),
        118 => identity::getuid(cx).and_then(|id| identity::getres(cx, id, [a[0], a[1], a[2]])),
        120 => identity::getgid(cx).and_then(|id| identity::getres(cx, id, [a[0], a[1], a[2]])),
        121 => identity::getpgid(cx, a[0]),
        124 => identity::getsid(cx, a[0]),
        127 => signal::rt_sigpending(cx, a[0], a[1]),
        128 => signal::rt_sigtimedwait(cx, a[0], a[1], a[2], a[3]),
        130 => signal::rt_sigsuspend(cx, a[0], a[1]),
        131 => signal::sigaltstack(cx, a[0], a[1]),
        157 => system::prctl(cx, a[0], a[1]),
        158 => system::arch_prctl(cx, a[0], a[1]),
        160 => limits::prlimit(cx, 0, a[0], a[1], 0),
        169 => system::reboot(cx, a[0], a[1], a[2]),
        186 => identity::gettid(cx),
        200 => signal::tgkill(cx, 0, a[0], a[1]),
        201 => time::time(cx, a[0]),
        202 => futex::futex(cx, a),
        203 => Ok(0),
        204 => system::sched_getaffinity(cx, a[1], a[2]),
        218 => identity::set_tid_address(cx, a[0]),
        228 => time::clock_gettime(cx, a[0], a[1]),
        229 => time::clock_getres(cx, a[0], a[1]),
        230 => time::clock_nanosleep(cx, a[0], a[1], a[2], a[3]),
        231 => exit::exit_group(cx, a[0]),
        234 => signal::tgkill(cx, a[0], a[1], a[2]),
        273 => futex::set_robust_list(cx, a[0], a[1]),
        302 => limits::prlimit(cx, a[0], a[1], a[2], a[3]),
        309 => system::getcpu(cx, a[0], a[1]),
        435 => clone::clone3(cx, a[0], a[1]),
        _ => {
            log_unknown(number);
            Err(Errno::ENOSYS)
        }
    };
    result.map(Some)
}

/// Says once that a program asked for a syscall that is not there.
fn log_unknown(number: usize) {
    static SEEN: [AtomicU64; NUMBERS / 64 + 1] = [const { AtomicU64::new(0) }; NUMBERS / 64 + 1];
    if number >= NUMBERS {
        return;
    }
    let bit = 1 << (number % 64);
    if SEEN[number / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        ostd::prelude::println!("pollux: syscall {number} is not there (ENOSYS)");
    }
}
