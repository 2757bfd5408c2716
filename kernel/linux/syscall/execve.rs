//! execve(2).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use pollee::Sleep;
use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::AccessMode;
use rules::linux::access::Access;
use rules::linux::inotify::mask::Happened;
use rules::machine::fallible;

use super::context::{Caller, Context, SysResult};
use crate::core::file::table::FdTable;
use crate::linux::fs::opened::{OpenedAt, Tells};
use crate::linux::fs::path::{self, LastLink, Origin};
use crate::linux::task::exec::{self, ARGUMENTS_MOST, Arguments, Failure};
use crate::linux::task::exit;
use crate::linux::task::process::{ExitStatus, Process};
use crate::linux::task::registers::{self, Registers};
use crate::linux::task::thread::{CurrentThread, Thread};
use crate::machine::memory::limits::Limits as SpaceLimits;
use crate::machine::memory::paged::PagedBytes;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{self, PATH_MAX};
use ostd::arch::cpu::context::UserContext;
use rules::abi::signal::Signal;

/// The most levels of `#!` interpreters, as on Linux.
const INTERPRETERS_MOST: usize = 5;

/// execve(2).
///
/// # Errors
/// The caller goes on as before. `ENOENT`, `EACCES`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`: the path. `ENOEXEC`: not a
/// program. `E2BIG`: too many arguments. `EFAULT`, `ENOMEM`. `EAGAIN`: another thread calls execve(2) and ends this
/// one.
pub(crate) fn execve(cx: &mut Context<'_>, path: usize, argv: usize, envp: usize) -> SysResult {
    let path = user::read_string(cx.space(), path, PATH_MAX)?;
    let mut room = ARGUMENTS_MOST;
    let mut argv = user::read_string_array(cx.space(), argv, &mut room)?;
    let envp = user::read_string_array(cx.space(), envp, &mut room)?;
    if argv.len() == 0 {
        // As Linux since 5.18: an empty argv becomes one empty string.
        argv.push(&[0])?;
    }
    start_program(cx.current(), cx.user, &cx.origin(), path, argv, envp)?;
    cx.renew();
    Ok(0)
}

/// Replaces the program of the current thread's process.
///
/// # Errors
/// As [`execve`].
pub(crate) fn start_program(
    thread: &CurrentThread,
    context: &mut UserContext,
    origin: &Origin,
    path: Vec<u8>,
    argv: PagedBytes,
    envp: PagedBytes,
) -> Result<(), Errno> {
    let process = thread.process();
    let mut arguments = Arguments {
        argv: fallible::shared(argv)?,
        envp,
        path: path.clone(),
        credentials: process.credentials.lock().clone(),
        is_secure: false,
    };
    let mut program = path.clone();
    let mut executable = open_program(origin, &program)?;
    let mut depth = 0;
    while let Some((interpreter, argument)) = exec::interpreter(&executable.location().inode)? {
        executable.notify(Happened::ACCESS);
        depth += 1;
        if depth > INTERPRETERS_MOST {
            return Err(Errno::ELOOP);
        }
        let mut argv = PagedBytes::default();
        for word in [Some(&interpreter), argument.as_ref(), Some(&program)].into_iter().flatten() {
            argv.push(word)?;
            argv.push(&[0])?;
        }
        argv.push_rest(&arguments.argv)?;
        arguments.argv = fallible::shared(argv)?;
        executable = open_program(origin, &interpreter)?;
        program = interpreter;
    }
    let no_new_privileges = process.no_new_privileges.load(Ordering::Relaxed);
    (arguments.credentials, arguments.is_secure) =
        arguments.credentials.clone().for_program(executable.location().inode.ownership(), no_new_privileges);
    let limits = SpaceLimits::default();
    process.limits.apply(&limits);
    let files = own_files(process)?;
    let old = process.space();
    executable.notify(Happened::ACCESS);
    let image = exec::load(&executable.location().inode, &arguments, limits, |path| {
        let linker = open_program(origin, path)?;
        linker.notify(Happened::ACCESS);
        Ok(linker.location().inode.clone())
    });
    let image = image.map_err(|failure| match failure {
        Failure::Refused(error) => error,
        Failure::Fatal => {
            exit::end_process(process, ExitStatus::Killed(Signal::SEGV.number()));
            Errno::EINVAL
        }
    })?;
    end_other_threads(thread)?;
    leave_memory(thread, &old, &image.space);
    thread.become_first();
    process.keep_peak(&old);
    drop(old);
    drop(process.replace_space(image.space.clone()));
    process.release_vfork_parent();
    if let Some(files) = files {
        drop(process.replace_files(files));
    }
    process.files().close_on_exec();
    // `begin_new_exec`: who may not read the program may not look into the process either.
    let is_readable = executable.location().inode.check(&origin.credentials, Access::READ).is_ok();
    let is_open = {
        let before = process.credentials.lock();
        is_readable
            && before.users.effective == before.users.real
            && before.groups.effective == before.groups.real
    };
    process.is_dumpable.store(is_open, Ordering::Relaxed);
    process.executions.fetch_add(1, Ordering::Relaxed);
    process.change_credentials(|before| {
        *before = arguments.credentials;
        Ok(())
    })?;
    if arguments.is_secure {
        // A privileged program must not be killed through its unprivileged parent.
        process.parent_death_signal.store(0, Ordering::Relaxed);
    }
    process.signals.lock().actions.reset_handlers();
    process.timers.forget_created();
    process.has_executed.store(true, Ordering::Relaxed);
    process.has_registered_barriers.store(false, Ordering::Relaxed);
    process.exit_signal.store(Signal::CHLD.number().into(), Ordering::Relaxed);
    {
        let mut own = thread.signals.lock();
        own.alt_stack = Default::default();
    }
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(&path);
    *process.name.lock() = name.iter().copied().take(15).collect();
    drop(core::mem::replace(&mut *process.arguments.lock(), arguments.argv));
    let _before = process.program.lock().replace(executable);
    *context = UserContext::default();
    let general = context.general_regs_mut();
    general.rip = image.entry;
    general.rsp = image.stack;
    registers::load(Registers::new());
    Ok(())
}

/// Releases futexes in the old address space, which is no longer the thread's.
fn leave_memory(thread: &Arc<Thread>, old: &Arc<AddressSpace>, new: &Arc<AddressSpace>) {
    let clear_tid = thread.clear_tid.swap(0, Ordering::Relaxed);
    if clear_tid == 0 && thread.robust_list.load(Ordering::Relaxed) == 0 {
        return;
    }
    registers::move_to_space(old.clone());
    exit::release_futexes(thread, old, clear_tid);
    registers::move_to_space(new.clone());
}

/// Copies the descriptor table if another process or thread shares it: close-on-exec must not close files there.
fn own_files(process: &Process) -> Result<Option<Arc<FdTable>>, Errno> {
    /// References that do not count as sharing: the process's, the current thread's, and the caller's.
    const OWN: usize = 3;
    let files = process.files();
    if Arc::strong_count(&files) > OWN { Ok(Some(Arc::new(files.try_clone()?))) } else { Ok(None) }
}

/// Ends all other threads and waits until this one is alone.
///
/// # Errors
/// `EAGAIN`: another thread does the same, or the process ends. The calling thread must end, too.
fn end_other_threads(thread: &CurrentThread) -> Result<(), Errno> {
    let process = thread.process();
    process.threads.lock().end_others(thread)?;
    while process.threads.lock().len() > 1 {
        thread.sleep(None);
    }
    let mut threads = process.threads.lock();
    // A thread that ends the process sets `exit_status` first and closes the list afterwards, for good.
    if process.exit_status.lock().is_none() {
        threads.reopen();
    }
    Ok(())
}

fn open_program(origin: &Origin, path: &[u8]) -> Result<Arc<OpenedAt>, Errno> {
    let location = path::lookup(origin, path, LastLink::Follow)?;
    if location.inode.file_type() != FileType::Regular {
        return Err(Errno::EACCES);
    }
    // Executing a program does not require permission to read it.
    location.inode.check(&origin.credentials, Access::EXECUTE)?;
    Ok(Arc::new(OpenedAt::new(location, AccessMode::Read, Tells::Everything)))
}
