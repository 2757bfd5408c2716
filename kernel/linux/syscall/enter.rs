//! The loop of a thread: user mode, then a system call or an exception, then signals, then user mode again.

use alloc::sync::Arc;
use core::time::Duration;

use ostd::arch::cpu::context::{CpuException, UserContext};
use ostd::user::{ReturnReason, UserMode};
use rules::abi::errno::Errno;

use super::context::{Context, ProcessRefs};
use super::{admission, table};
use crate::linux::task::exit;
use crate::linux::task::oom::{self, Relief};
use crate::linux::task::process::ExitStatus;
use crate::linux::task::signal::deliver::{self, Interrupted, Next};
use crate::linux::task::signal::pending::Info;
use crate::linux::task::signal::send;
use crate::linux::task::thread::{CurrentThread, Thread};
use crate::linux::terminal::session;
use crate::machine::memory::fault::{Access, FaultError};
use crate::machine::memory::space::AddressSpace;
use crate::machine::trace::{self, Kind};
use rules::abi::signal::Signal;

/// Runs a thread until it ends; passed to [`Thread::spawn`].
pub(crate) fn run(thread: Arc<Thread>, context: UserContext) {
    let current = CurrentThread::new(&thread);
    drop(thread);
    run_as(&current, context);
}

/// Runs a thread, as [`run`] does, for a caller that has its [`CurrentThread`].
pub(crate) fn run_as(thread: &CurrentThread, context: UserContext) {
    run_until_dying(thread, context);
    exit::end_thread(thread, session::leave);
}

/// Drops every reference to the process before it returns: its descriptors must be closed before the parent learns of
/// its end.
fn run_until_dying(thread: &CurrentThread, context: UserContext) {
    let mut refs = ProcessRefs::of(thread);
    let mut mode = UserMode::new(context);
    let mut resume = None;
    while !thread.is_dying() {
        thread.set_in_user(true);
        let reason = mode.execute(|| thread.needs_attention());
        thread.set_in_user(false);
        let mut interrupted = match reason {
            ReturnReason::UserSyscall => syscall(thread, &mut refs, mode.context_mut(), resume.take()),
            ReturnReason::UserException => {
                exception(thread, &refs.space, &mut mode);
                None
            }
            ReturnReason::KernelEvent => None,
        };
        while (thread.needs_attention() || interrupted.is_some()) && !thread.is_dying() {
            thread.take_attention();
            let next = deliver::deliver(thread, mode.context_mut(), interrupted.take(), &mut resume);
            if let Next::EndProcess(end) = next {
                exit::end_process(thread.process(), end);
            }
        }
    }
}

/// Performs the system call whose number and arguments are in the registers.
// Inlined by force: it has one caller, but the optimizer no longer inlines it when the table grows.
#[inline(always)]
fn syscall(
    thread: &CurrentThread,
    refs: &mut ProcessRefs,
    user: &mut UserContext,
    resume: Option<Duration>,
) -> Option<Interrupted> {
    let registers = user.general_regs();
    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
    let number = registers.rax;
    trace::syscall(Kind::Enter, thread.tid(), number);
    let mut context = Context::new(thread, refs, user, resume);
    let result = match admission::admit(number) {
        Ok(()) => table::call(&mut context, number, arguments),
        Err(error) => Err(error),
    };
    let mut interrupted = None;
    let value = match result {
        Ok(value) => value,
        Err(errno) => {
            if is_relieved(thread, number, errno) {
                begin_again(context.user, number);
                if context.is_outdated() {
                    *refs = ProcessRefs::of(thread);
                }
                return None;
            }
            if errno == Errno::EINTR && thread.needs_attention() {
                interrupted = Some(Interrupted { number, restart: context.restart.get() });
            }
            errno.to_return_value()
        }
    };
    trace::syscall(Kind::Leave, thread.tid(), value);
    context.user.general_regs_mut().rax = value;
    if context.is_outdated() {
        *refs = ProcessRefs::of(thread);
    }
    interrupted
}

/// Makes user mode perform the system call once more.
fn begin_again(user: &mut UserContext, number: usize) {
    /// The length of the instruction `syscall`.
    const INSTRUCTION: usize = 2;
    let registers = user.general_regs_mut();
    registers.rax = number;
    registers.rip -= INSTRUCTION;
}

/// Returns whether a system call failed for lack of memory, and there may be some now: it has done nothing, so it can
/// be performed again.
#[inline]
fn is_relieved(thread: &CurrentThread, number: usize, errno: Errno) -> bool {
    /// clone(2), fork(2), vfork(2), clone3(2).
    const STARTING: [usize; 4] = [56, 57, 58, 435];
    let is_starved = thread.take_starved();
    let relief = match errno {
        Errno::EFAULT if is_starved => relieve(thread),
        Errno::ENOMEM => oom::relieve_call(thread),
        Errno::EAGAIN if STARTING.contains(&number) => oom::relieve_call(thread),
        _ => Relief::Hopeless,
    };
    relief == Relief::Retry
}

/// Finds memory for a page that the thread cannot do without. Where there is none, the thread's process ends; but init
/// waits, because without init there is no machine.
fn relieve(thread: &CurrentThread) -> Relief {
    let relief = oom::relieve(thread);
    match relief {
        Relief::Retry => {}
        Relief::Hopeless if thread.process().is_init() => oom::nap(thread),
        Relief::Hopeless => {
            exit::end_process(thread.process(), ExitStatus::Killed(Signal::KILL.number()));
        }
    }
    Relief::Retry
}

/// Handles an exception of the processor: resolves a page fault, and turns everything else into a signal.
fn exception(thread: &CurrentThread, space: &AddressSpace, mode: &mut UserMode) {
    let Some(exception) = mode.context_mut().take_exception() else { return };
    let described = describe(&exception);
    if let Some(info) = fault(thread, space, exception, mode.context()) {
        trace::event(Kind::Fault, thread.tid(), mode.context().general_regs().rip);
        thread.signals.lock().exception = described;
        send::fault(thread, info);
    }
}

/// Returns what a signal frame shows of an exception: error code, exception number, address of a page fault.
fn describe(exception: &CpuException) -> [u64; 3] {
    let number = match exception {
        CpuException::PageFault(page) => {
            return [page.error_code.bits() as u64, 14, page.addr as u64];
        }
        CpuException::DivisionError => 0,
        CpuException::Debug => 1,
        CpuException::BreakPoint => 3,
        CpuException::InvalidOpcode => 6,
        CpuException::GeneralProtectionFault(_) => 13,
        CpuException::X87FloatingPointException => 16,
        CpuException::AlignmentCheck => 17,
        CpuException::SIMDFloatingPointException => 19,
        _ => 13,
    };
    [0, number, 0]
}

const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const BUS_ADRERR: i32 = 2;
const FPE_INTDIV: i32 = 1;
const ILL_ILLOPN: i32 = 2;
const TRAP_BRKPT: i32 = 1;
const TRAP_TRACE: i32 = 2;

/// Resolves a page fault, or returns the signal that the exception causes.
fn fault(
    thread: &CurrentThread,
    space: &AddressSpace,
    exception: CpuException,
    user: &UserContext,
) -> Option<Info> {
    let rip = user.general_regs().rip;
    let info = match exception {
        CpuException::PageFault(page) => {
            let access = Access::from_error_code(page.error_code);
            match space.fault(page.addr, access) {
                Ok(()) => {
                    thread.count_fault();
                    return None;
                }
                Err(FaultError::NotMapped) => Info::fault(Signal::SEGV, SEGV_MAPERR, page.addr),
                Err(FaultError::Denied) => Info::fault(Signal::SEGV, SEGV_ACCERR, page.addr),
                Err(FaultError::BeyondEnd) => Info::fault(Signal::BUS, BUS_ADRERR, page.addr),
                Err(FaultError::OutOfMemory) => {
                    // The instruction is tried again.
                    relieve(thread);
                    return None;
                }
            }
        }
        CpuException::DivisionError => Info::fault(Signal::FPE, FPE_INTDIV, rip),
        CpuException::X87FloatingPointException | CpuException::SIMDFloatingPointException => {
            Info::fault(Signal::FPE, 0, rip)
        }
        CpuException::InvalidOpcode => Info::fault(Signal::ILL, ILL_ILLOPN, rip),
        CpuException::BreakPoint => Info::fault(Signal::TRAP, TRAP_BRKPT, rip),
        CpuException::Debug => Info::fault(Signal::TRAP, TRAP_TRACE, rip),
        CpuException::AlignmentCheck => Info::fault(Signal::BUS, 1, rip),
        // The rest are accesses that a program may not make: general protection, stack segment, overflow, bounds.
        _ => Info::kernel(Signal::SEGV),
    };
    Some(info)
}
