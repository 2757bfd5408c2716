//! sched_yield(2), sched_setaffinity(2), sched_getscheduler(2), getpriority(2), getcpu(2), membarrier(2).
//!
//! There is one policy, `SCHED_OTHER` with a nice value of 0, so all threads have the same priority.
//! Source: sched(7); Linux 6.1 kernel/sched/core.c, membarrier.c.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use ostd::cpu::{CpuSet, num_cpus};
use ostd::task::Task;
use rules::abi::errno::Errno;
use rules::linux::capability::Capability;

use super::context::{Caller, Context, SysResult};
use crate::linux::task::process_table;
use crate::linux::task::thread::Thread;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// The bytes of a CPU set that are read; the rest stands for CPUs that do not exist.
const SET: usize = size_of::<u64>();

/// Returns the thread with that ID; 0 is the caller.
fn find(cx: &Context<'_>, tid: usize) -> Result<Arc<Thread>, Errno> {
    match (tid as u32).cast_signed() {
        0 => Ok(cx.thread().clone()),
        tid if tid < 0 => Err(Errno::EINVAL),
        tid => process_table::find_thread(tid.unsigned_abs()).ok_or(Errno::ESRCH),
    }
}

/// Returns the set of existing CPUs.
fn all() -> u64 {
    if num_cpus() >= 64 { u64::MAX } else { (1 << num_cpus()) - 1 }
}

/// sched_yield(2).
pub(crate) fn sched_yield() -> SysResult {
    Task::yield_now();
    Ok(0)
}

/// sched_setaffinity(2).
///
/// # Errors
/// `EINVAL`: none of the CPUs exists. `ESRCH`: no such thread. `EPERM`: a thread of another user. `EFAULT`.
pub(crate) fn sched_setaffinity(cx: &mut Context<'_>, tid: usize, size: usize, at: usize) -> SysResult {
    let mut bytes = [0; SET];
    let len = size.min(SET);
    UserSlice::new(cx.space(), at, len)?.read_bytes(&mut bytes[..len])?;
    let thread = find(cx, tid)?;
    let own = cx.credentials();
    let of_thread = thread.process().credentials.lock().users;
    let is_own = [of_thread.real, of_thread.effective].contains(&own.users.effective);
    if !is_own && !own.can(Capability::SYS_NICE) {
        return Err(Errno::EPERM);
    }
    let set = u64::from_le_bytes(bytes) & all();
    if set == 0 {
        return Err(Errno::EINVAL);
    }
    thread.affinity.store(set, Ordering::Relaxed);
    // Another thread moves when it next leaves its CPU; the caller moves now.
    if Arc::ptr_eq(&thread, cx.thread()) {
        cx.sleeper().leave_cpu();
    }
    Ok(0)
}

/// sched_getaffinity(2).
///
/// # Errors
/// `EINVAL`: the set is too small, or not a multiple of 8 bytes. `ESRCH`, `EFAULT`.
pub(crate) fn sched_getaffinity(cx: &mut Context<'_>, tid: usize, size: usize, at: usize) -> SysResult {
    if !size.is_multiple_of(SET) || size * 8 < num_cpus() {
        return Err(Errno::EINVAL);
    }
    let set = find(cx, tid)?.affinity.load(Ordering::Relaxed) & all();
    UserPtr::<u64>::new(cx.space(), at).write(&set)?;
    Ok(SET)
}

/// sched_getscheduler(2): always `SCHED_OTHER`.
pub(crate) fn sched_getscheduler(cx: &mut Context<'_>, tid: usize) -> SysResult {
    find(cx, tid).map(|_| 0)
}

/// sched_setscheduler(2): accepts `SCHED_OTHER`, `SCHED_BATCH` and `SCHED_IDLE`, which do not differ here.
///
/// # Errors
/// `EINVAL`: a priority that is not 0, or no such policy. `EPERM`: a real-time policy. `ESRCH`, `EFAULT`.
pub(crate) fn sched_setscheduler(
    cx: &mut Context<'_>,
    tid: usize,
    policy: usize,
    parameters: usize,
) -> SysResult {
    /// `SCHED_RESET_ON_FORK`.
    const FLAGS: u32 = 0x4000_0000;
    find(cx, tid)?;
    let priority: u32 = UserPtr::new(cx.space(), parameters).read()?;
    match policy as u32 & !FLAGS {
        0 | 3 | 5 if priority == 0 => Ok(0),
        1 | 2 if (1..100).contains(&priority) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_getparam(2): the priority is always 0.
///
/// # Errors
/// `EINVAL`, `ESRCH`, `EFAULT`.
pub(crate) fn sched_getparam(cx: &mut Context<'_>, tid: usize, at: usize) -> SysResult {
    find(cx, tid)?;
    UserPtr::<u32>::new(cx.space(), at).write(&0)?;
    Ok(0)
}

/// sched_get_priority_min(2) and sched_get_priority_max(2): returns `bound` for real-time policies.
///
/// # Errors
/// `EINVAL`: no such policy.
pub(crate) fn sched_get_priority(policy: usize, bound: usize) -> SysResult {
    match policy as u32 {
        0 | 3 | 5 | 6 => Ok(0),
        1 | 2 => Ok(bound),
        _ => Err(Errno::EINVAL),
    }
}

/// getpriority(2): the system call returns 20 minus the nice value, which is 0.
///
/// # Errors
/// `EINVAL`: neither of a process nor of a group or user.
pub(crate) fn getpriority(which: usize) -> SysResult {
    if which as u32 > 2 { Err(Errno::EINVAL) } else { Ok(20) }
}

/// setpriority(2): has no effect.
///
/// # Errors
/// `EINVAL`: neither of a process nor of a group or user.
pub(crate) fn setpriority(which: usize) -> SysResult {
    if which as u32 > 2 { Err(Errno::EINVAL) } else { Ok(0) }
}

/// getcpu(2).
///
/// # Errors
/// `EFAULT`.
pub(crate) fn getcpu(cx: &mut Context<'_>, cpu: usize, node: usize) -> SysResult {
    let number = cx.thread().last_cpu.load(Ordering::Relaxed);
    if cpu != 0 {
        UserPtr::<u32>::new(cx.space(), cpu).write(&number)?;
    }
    if node != 0 {
        UserPtr::<u32>::new(cx.space(), node).write(&0)?;
    }
    Ok(0)
}

/// membarrier(2): interrupts every CPU, which orders its memory accesses.
///
/// # Errors
/// `EINVAL`: unknown command, or flags are set. `EPERM`: a private barrier without registration.
pub(crate) fn membarrier(cx: &mut Context<'_>, command: usize, flags: usize) -> SysResult {
    /// Query, global, global expedited and private expedited with their registrations.
    const KNOWN: u32 = 0b1_1111;
    const REGISTER_GLOBAL: u32 = 4;
    const PRIVATE: u32 = 8;
    const REGISTER_PRIVATE: u32 = 16;
    let is_registered = &cx.process().has_registered_barriers;
    let command = command as u32;
    if flags as u32 != 0 || (command != 0 && (!command.is_power_of_two() || command & KNOWN == 0)) {
        return Err(Errno::EINVAL);
    }
    if command == 0 {
        return Ok(KNOWN as usize);
    }
    match command {
        // Global barriers need no registration.
        REGISTER_GLOBAL => {}
        REGISTER_PRIVATE => is_registered.store(true, Ordering::Relaxed),
        PRIVATE if !is_registered.load(Ordering::Relaxed) => return Err(Errno::EPERM),
        _ => barrier(),
    }
    Ok(0)
}

/// Interrupts all CPUs and waits until each has taken it.
fn barrier() {
    use core::sync::atomic::{AtomicUsize, fence};
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    static ONE_AT_A_TIME: ostd::sync::Mutex<()> = ostd::sync::Mutex::new(());
    fence(Ordering::SeqCst);
    let _alone = ONE_AT_A_TIME.lock();
    TAKEN.store(0, Ordering::SeqCst);
    ostd::smp::inter_processor_call(&CpuSet::new_full(), || {
        TAKEN.fetch_add(1, Ordering::SeqCst);
    });
    while TAKEN.load(Ordering::SeqCst) < num_cpus() {
        core::hint::spin_loop();
    }
}
