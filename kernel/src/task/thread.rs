//! A thread: what the scheduler runs on behalf of a process.
//!
//! Owns: the thread's identity, its registers between runs, its sleep.
//! Not here: what its process shares (process), its signals' rules (signal).

use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use core::time::Duration;

use model::abi::errno::Errno;
use ostd::arch::cpu::context::{FpuContext, UserContext};
use ostd::sync::SpinLock;
use ostd::task::{Task, TaskOptions};

use super::process::Process;
use super::signal::pending::ThreadSignals;
use crate::clock::{self, timer};
use crate::event;
use crate::event::parker::Parker;
use crate::event::wait::{Sleep, Wake};
use crate::memory::budget;
use crate::memory::space::AddressSpace;
use crate::trace::{self, Kind};

/// Kernel stack and bookkeeping of a thread, in bytes.
const COST: usize = 96 << 10;

/// What runs a thread from its first instruction on: the loop of `syscall`.
pub(crate) type Run = fn(Arc<Thread>, UserContext);

/// A thread, as others see it.
pub(crate) struct Thread {
    tid: u32,
    process: Arc<Process>,
    /// Its own signals; those of the process are in [`Process::signals`].
    pub(crate) signals: SpinLock<ThreadSignals>,
    /// Set when the thread must look at signals, or end, before it goes on in user mode.
    attention: AtomicBool,
    /// Set when the thread must end.
    is_dying: AtomicBool,
    parker: Arc<Parker>,
    /// set_tid_address(2): written and woken when the thread ends.
    pub(crate) clear_tid: AtomicUsize,
    /// set_robust_list(2).
    pub(crate) robust_list: AtomicUsize,
    /// The CPU it ran on last, for getcpu(2).
    pub(crate) last_cpu: AtomicU32,
}

/// What only the thread itself touches.
pub(super) struct Local {
    pub(super) fpu: RefCell<FpuContext>,
    pub(super) fs_base: Cell<usize>,
    pub(super) gs_base: Cell<usize>,
    pub(super) space: RefCell<Arc<AddressSpace>>,
}

/// The registers that a new thread starts with beside the general ones.
#[derive(Clone)]
pub(crate) struct Registers {
    pub(crate) fpu: FpuContext,
    pub(crate) fs_base: usize,
    pub(crate) gs_base: usize,
}

impl Registers {
    /// What execve(2) leaves.
    pub(crate) fn new() -> Self {
        Self { fpu: FpuContext::new(), fs_base: 0, gs_base: 0 }
    }
}

impl Thread {
    /// Starts a thread of `process`, which counts it in.
    ///
    /// # Errors
    /// `EAGAIN`: no memory for it; nothing was started.
    pub(crate) fn spawn(
        process: &Arc<Process>,
        tid: u32,
        signals: ThreadSignals,
        registers: Registers,
        context: UserContext,
        run: Run,
        prepare: impl FnOnce(&Arc<Self>),
    ) -> Result<Arc<Self>, Errno> {
        budget::try_reserve(COST).map_err(|_| Errno::EAGAIN)?;
        let thread = Arc::new(Self {
            tid,
            process: process.clone(),
            signals: SpinLock::new(signals),
            attention: AtomicBool::new(false),
            is_dying: AtomicBool::new(false),
            parker: Arc::default(),
            clear_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            last_cpu: AtomicU32::new(0),
        });
        let local = Local {
            fpu: RefCell::new(registers.fpu),
            fs_base: Cell::new(registers.fs_base),
            gs_base: Cell::new(registers.gs_base),
            space: RefCell::new(process.space()),
        };
        let entered = thread.clone();
        let task = TaskOptions::new(move || run(entered, context)).data(thread.clone()).local_data(local);
        let task = Arc::new(task.build().map_err(|_| Errno::EAGAIN)?);
        process.threads.lock().push(thread.clone());
        prepare(&thread);
        task.run();
        Ok(thread)
    }

    /// Thread ID; the first thread's is the process ID.
    pub(crate) fn tid(&self) -> u32 {
        self.tid
    }

    /// The process it belongs to.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Whether it must look at signals before it goes on in user mode.
    pub(crate) fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire)
    }

    /// Makes it look at signals soon; ends its sleep.
    pub(crate) fn call_attention(&self) {
        self.attention.store(true, Ordering::Release);
        self.wake();
        // Running in user mode on another CPU, it looks at the flag when its tick comes, within 1 ms.
    }

    /// Takes the call; the caller looks at signals next.
    pub(crate) fn take_attention(&self) -> bool {
        self.attention.swap(false, Ordering::AcqRel)
    }

    /// Makes it end.
    pub(crate) fn kill(&self) {
        self.is_dying.store(true, Ordering::Release);
        self.call_attention();
    }

    /// Whether it must end.
    pub(crate) fn is_dying(&self) -> bool {
        self.is_dying.load(Ordering::Acquire)
    }

    /// Ends its sleep, or the next one before it begins.
    pub(crate) fn wake(&self) {
        self.parker.unpark();
    }

    /// Where it sleeps.
    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }
}

impl Sleep for Thread {
    type Deadline = Duration;

    fn task(&self) -> event::Task {
        event::Task::new(self.parker.clone())
    }

    fn sleep(&self, until: Option<Duration>) -> Wake {
        if until.is_some_and(|until| until <= clock::now()) {
            return Wake::TimedOut;
        }
        let timer = until.map(|until| timer::arm(until, self.parker.clone()));
        trace::event(Kind::Sleep, self.tid, 0);
        self.parker.park();
        drop(timer);
        let wake = match until {
            Some(until) if until <= clock::now() => Wake::TimedOut,
            _ => Wake::Called,
        };
        trace::event(Kind::Wake, self.tid, usize::from(wake == Wake::TimedOut));
        wake
    }

    fn is_interrupted(&self) -> bool {
        self.needs_attention() && (self.is_dying() || super::signal::has_deliverable(self))
    }
}

/// The thread that runs now; `None` in kernel tasks.
pub(crate) fn current() -> Option<Arc<Thread>> {
    Task::current()?.data().downcast_ref::<Arc<Thread>>().cloned()
}

/// Runs `f` on the current thread's own part.
pub(super) fn with_local<R>(f: impl FnOnce(&Local) -> R) -> R {
    #[expect(clippy::expect_used, reason = "called by threads only, which are made with a `Local`")]
    try_with_local(f).expect("not a thread")
}

/// As [`with_local`]; `None` in kernel tasks.
pub(super) fn try_with_local<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    let task = Task::current()?;
    task.local_data().downcast_ref::<Local>().map(f)
}

/// The current thread's registers beside the general ones, as they are now.
pub(crate) fn save_registers() -> Registers {
    with_local(|local| {
        super::hooks::save(local);
        Registers {
            fpu: local.fpu.borrow().clone(),
            fs_base: local.fs_base.get(),
            gs_base: local.gs_base.get(),
        }
    })
}

/// Gives the current thread other registers.
pub(crate) fn load_registers(registers: Registers) {
    with_local(|local| {
        *local.fpu.borrow_mut() = registers.fpu;
        local.fs_base.set(registers.fs_base);
        local.gs_base.set(registers.gs_base);
        super::hooks::load(local);
    });
}

/// Moves the current thread to another address space, for execve(2); returns the one it was in.
pub(crate) fn move_to_space(space: Arc<AddressSpace>) -> Arc<AddressSpace> {
    with_local(|local| {
        space.activate();
        local.space.replace(space)
    })
}
