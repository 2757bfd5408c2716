//! sched_yield(2), sched_setaffinity(2), getcpu(2), membarrier(2).
//!
//! Not here: policies (syscall/sched_setscheduler), nice values (syscall/getpriority).
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

/// Returns the thread with that ID; 0 is the caller. A negative ID is nobody's.
pub(super) fn find(cx: &Context<'_>, tid: usize) -> Result<Arc<Thread>, Errno> {
    match tid as u32 {
        0 => Ok(cx.thread().clone()),
        tid => process_table::find_thread(tid).ok_or(Errno::ESRCH),
    }
}

/// Returns whether the thread belongs to the caller's user (`check_same_owner`).
pub(super) fn is_own(cx: &Context<'_>, thread: &Thread) -> bool {
    let own = cx.process().credentials.lock().uid();
    let of_thread = thread.process().credentials.lock().clone();
    [of_thread.users.real, of_thread.users.effective].contains(&own)
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
    if !is_own(cx, &thread) && !cx.credentials().can(Capability::SYS_NICE) {
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
