//! fork(2), vfork(2), clone(2), clone3(2).
//!
//! Why: decision 0032.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use pollee::Sleep;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::machine::fallible;

use super::context::{Caller, Context, SysResult};
use super::enter;
use crate::core::file::description::OpenFile;
use crate::core::file::table::{FdTable, ReservedFd};
use crate::core::syscall::caller::Restart;
use crate::linux::task::pidfd;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::registers;
use crate::linux::task::signal::pending::ThreadSignals;
use crate::linux::task::thread::Thread;
use crate::machine::memory::layout::TASK_SIZE;
use crate::machine::memory::user::{UserPtr, UserSlice};

const VM: u64 = 0x100;
const FS: u64 = 0x200;
const FILES: u64 = 0x400;
const SIGHAND: u64 = 0x800;
const PIDFD: u64 = 0x1000;
const VFORK: u64 = 0x4000;
const THREAD: u64 = 0x1_0000;
const SYSVSEM: u64 = 0x4_0000;
const SETTLS: u64 = 0x8_0000;
const PARENT_SETTID: u64 = 0x10_0000;
const CHILD_CLEARTID: u64 = 0x20_0000;
const DETACHED: u64 = 0x40_0000;
const CHILD_SETTID: u64 = 0x100_0000;
const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const SUPPORTED: u64 = VM
    | FS
    | FILES
    | SIGHAND
    | PIDFD
    | VFORK
    | THREAD
    | SYSVSEM
    | SETTLS
    | PARENT_SETTID
    | CHILD_CLEARTID
    | DETACHED
    | CHILD_SETTID
    | CLEAR_SIGHAND;

#[derive(Clone, Copy, Debug, Default)]
struct Request {
    flags: u64,
    exit_signal: u32,
    stack: usize,
    /// Where `CLONE_PIDFD` writes the pidfd.
    pidfd: usize,
    parent_tid: usize,
    child_tid: usize,
    tls: usize,
}

/// fork(2).
pub(crate) fn fork(cx: &mut Context<'_>) -> SysResult {
    start(cx, Request { exit_signal: 17, ..Request::default() })
}

/// vfork(2): the child runs in the caller's memory until it ends or calls execve(2), and the caller waits for that.
pub(crate) fn vfork(cx: &mut Context<'_>) -> SysResult {
    start(cx, Request { flags: VM | VFORK, exit_signal: 17, ..Request::default() })
}

/// clone(2).
pub(crate) fn clone(cx: &mut Context<'_>, arguments: [usize; 5]) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls] = arguments;
    let request = Request {
        flags: flags as u64 & 0xffff_ff00,
        exit_signal: (flags & 0xff) as u32,
        stack,
        // The two share an argument, so a caller cannot have both.
        pidfd: parent_tid,
        parent_tid,
        child_tid,
        tls,
    };
    start(cx, request)
}

/// clone3(2).
///
/// # Errors
/// As [`clone`]. `E2BIG`: the structure is larger than the known one and the rest is not zero. `EINVAL`: too small.
pub(crate) fn clone3(cx: &mut Context<'_>, at: usize, size: usize) -> SysResult {
    const KNOWN: usize = 88;
    if size < 64 {
        return Err(Errno::EINVAL);
    }
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    let mut bytes = [0u8; 4096];
    UserSlice::new(cx.space(), at, size)?.read_bytes(&mut bytes[..size])?;
    if bytes[KNOWN..].iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    let mut words = [0u64; 11];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    let [flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, _] =
        words;
    if flags & (0xff | DETACHED) != 0
        || exit_signal > 64
        || (flags & THREAD != 0 && exit_signal != 0)
        || set_tid != 0
        || set_tid_size != 0
        || (stack == 0) != (stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    let request = Request {
        flags,
        exit_signal: exit_signal as u32,
        stack: (stack + stack_size) as usize,
        pidfd: pidfd as usize,
        parent_tid: parent_tid as usize,
        child_tid: child_tid as usize,
        tls: tls as usize,
    };
    start(cx, request)
}

/// Starts a thread or a process.
///
/// # Errors
/// Nothing was started. `EINVAL`: flags that contradict each other or are not supported. `EAGAIN`, `ENOMEM`.
fn start(cx: &mut Context<'_>, request: Request) -> SysResult {
    let flags = request.flags;
    let has = |flag: u64| flags & flag != 0;
    if flags & !SUPPORTED != 0
        || (has(SIGHAND) && !has(VM))
        || (has(THREAD) && !has(SIGHAND))
        || (has(SIGHAND) && has(CLEAR_SIGHAND))
        || (has(PIDFD) && has(THREAD | DETACHED))
        || (has(PIDFD) && has(PARENT_SETTID) && request.pidfd == request.parent_tid)
        || request.tls >= TASK_SIZE
    {
        return Err(Errno::EINVAL);
    }
    let parent = cx.process();
    let mut context = cx.user.clone();
    let general = context.general_regs_mut();
    general.rax = 0;
    if request.stack != 0 {
        general.rsp = request.stack;
    }
    let mut registers = registers::save();
    if has(SETTLS) {
        registers.fs_base = request.tls;
    }
    let (mask, alt_stack) = {
        let own = cx.thread().signals.lock();
        (own.mask, own.alt_stack)
    };
    let mut signals = ThreadSignals { mask, ..ThreadSignals::default() };
    let (process, tid) = if has(THREAD) {
        process_table::check_room(parent)?;
        (parent.clone(), process_table::next_id())
    } else {
        if !has(VM) || has(VFORK) {
            signals.alt_stack = alt_stack;
        }
        let child = copy_process(parent, flags)?;
        child.exit_signal.store(request.exit_signal, Ordering::Relaxed);
        if has(VFORK) {
            child.set_vfork_parent(cx.thread());
        }
        let pid = child.pid();
        (child, pid)
    };
    let files = cx.files().clone();
    let pidfd = if has(PIDFD) { Some(prepare_pidfd(cx, &files, &process, request.pidfd)?) } else { None };
    let parent_thread = cx.sleeper();
    let space = cx.space();
    let mut is_interrupted = false;
    let prepare = |thread: &Arc<Thread>| {
        if has(CHILD_SETTID) && !has(VM) {
            thread.set_tid.store(request.child_tid, Ordering::Relaxed);
        }
        if has(CHILD_CLEARTID) {
            thread.clear_tid.store(request.child_tid, Ordering::Relaxed);
        }
        if !has(THREAD) {
            let _membership = process_table::MEMBERSHIP.lock();
            if parent_thread.is_interrupted() {
                is_interrupted = true;
                return Err(Errno::EINTR);
            }
            process.publish(parent)?;
        }
        // A fault is not an error, because the child already exists.
        if has(PARENT_SETTID) {
            let _ = UserPtr::<u32>::new(space, request.parent_tid).write(&tid);
        }
        if has(CHILD_SETTID) && has(VM) {
            let _ = UserPtr::<u32>::new(space, request.child_tid).write(&tid);
        }
        Ok(())
    };
    let run = if has(CHILD_SETTID) && !has(VM) { run_with_child_settid } else { enter::run };
    let started = Thread::spawn(&process, tid, signals, registers, context, run, prepare);
    if is_interrupted {
        // A pending signal to the group must reach the child as well, so the call is restarted after it.
        cx.restart.set(Restart::Always);
    }
    started?;
    if let Some((number, file)) = pidfd {
        number.commit(file, OnExec::Close);
    }
    if has(VFORK) {
        // Only SIGKILL ends this wait early: the child runs on the caller's stack.
        while process.borrows_space() && !cx.thread().is_dying() {
            cx.sleeper().sleep(None);
        }
    }
    Ok(tid as usize)
}

/// Reserves a number for a pidfd of `child`, which does not run yet, and writes it to `addr`.
///
/// # Errors
/// No number is reserved. `EMFILE`, `ENOMEM`. `EFAULT`: it cannot be written.
fn prepare_pidfd<'a>(
    cx: &Context<'_>,
    files: &'a FdTable,
    child: &Arc<Process>,
    addr: usize,
) -> Result<(ReservedFd<'a>, Arc<OpenFile>), Errno> {
    let number = files.reserve(Fd::new(0), cx.file_limit())?;
    let file = pidfd::open(child.clone(), OpenFlags::empty())?;
    UserPtr::<u32>::new(cx.space(), addr).write(&number.fd().number())?;
    Ok((number, file))
}

/// Writes the child's ID into its own copy of the memory, then runs it.
fn run_with_child_settid(thread: Arc<Thread>, context: ostd::arch::cpu::context::UserContext) {
    let addr = thread.set_tid.load(Ordering::Relaxed);
    if addr != 0 {
        let space = thread.process().space();
        let _ = UserPtr::<u32>::new(&space, addr).write(&thread.tid());
    }
    enter::run(thread, context);
}

fn copy_process(parent: &Arc<Process>, flags: u64) -> Result<Arc<Process>, Errno> {
    let space = if flags & VM != 0 { parent.space() } else { parent.space().fork()? };
    let files =
        if flags & FILES != 0 { parent.files() } else { fallible::shared(parent.files().try_clone()?)? };
    let child = Process::child(parent, space, files)?;
    if flags & CLEAR_SIGHAND != 0 {
        child.signals.lock().actions.reset_handlers();
    }
    Ok(child)
}
