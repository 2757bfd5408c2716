//! A thread: what the scheduler runs on behalf of a process.
//!
//! Owns: the thread's identity, its registers between runs, its sleep.
//! Not here: what its process shares (process), its signals' rules (signal).
//! Why: decision 0051.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;

use ostd::arch::cpu::context::{FpuContext, UserContext};
use ostd::cpu::{CpuId, CpuSet, PinCurrentCpu};
use ostd::irq::disable_local;
use ostd::sync::SpinLock;
use ostd::task::{Task, TaskOptions, disable_preempt};
use ostd::util::id_set::Id;
use pollee::{Sleep, WakeReason};
use rules::abi::errno::Errno;

use super::process::Process;
use super::signal;
use super::signal::pending::ThreadSignals;
use super::timer as timers;
use super::usage::{Meter, Usage};
use crate::core::event;
use crate::core::event::parker::{Parker, Unparker};
use crate::core::event::trace::{self, Kind};
use crate::core::file::poll_set;
use crate::machine::clock::{self, timer};
use crate::machine::memory::budget;
use crate::machine::memory::space::AddressSpace;

/// Kernel stack and bookkeeping of a thread, in bytes.
const COST: usize = 96 << 10;

/// What runs a thread from its first instruction on: the loop of `syscall`.
pub(crate) type Run = fn(Arc<Thread>, UserContext);

/// A thread, as others see it.
pub(crate) struct Thread {
    /// execve(2) gives a thread the number of the process.
    tid: AtomicU32,
    process: Arc<Process>,
    /// Its own signals; those of the process are in [`Process::signals`].
    pub(crate) signals: SpinLock<ThreadSignals>,
    /// Set when the thread must look at signals, or end, before it goes on in user mode.
    attention: AtomicBool,
    /// Set when the thread must end.
    is_dying: AtomicBool,
    unparker: Arc<Unparker>,
    /// set_tid_address(2): written and woken when the thread ends.
    pub(crate) clear_tid: AtomicUsize,
    /// set_robust_list(2).
    pub(crate) robust_list: AtomicUsize,
    /// The CPU it ran on last.
    pub(crate) last_cpu: AtomicU32,
    /// Bit `n`: it may run on CPU `n`.
    pub(crate) affinity: AtomicU64,
    pub(crate) meter: Meter,
    /// What it called itself; the first thread's name is the process's.
    pub(crate) name: SpinLock<Option<Vec<u8>>>,
    /// A tick found something to look at beside signals.
    was_ticked: AtomicBool,
}

/// A thread as it sees itself: only it can sleep.
pub(crate) struct Myself {
    thread: Arc<Thread>,
    parker: Parker,
    poll_context: RefCell<poll_set::PollContext>,
}

/// What only the thread itself touches.
pub(super) struct Local {
    pub(super) thread: Arc<Thread>,
    pub(super) fpu: RefCell<FpuContext>,
    pub(super) fs_base: Cell<usize>,
    pub(super) gs_base: Cell<usize>,
    pub(super) space: RefCell<Arc<AddressSpace>>,
    /// Between two signals.
    fpu_room: Cell<Option<FpuContext>>,
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
    /// `prepare` is called when the thread is one of its process's and does not run yet.
    ///
    /// # Errors
    /// `EAGAIN`: no memory for it, or its process lets none come any more. Those of `prepare`. Nothing was started.
    pub(crate) fn spawn(
        process: &Arc<Process>,
        tid: u32,
        signals: ThreadSignals,
        registers: Registers,
        context: UserContext,
        run: Run,
        prepare: impl FnOnce(&Arc<Self>) -> Result<(), Errno>,
    ) -> Result<Arc<Self>, Errno> {
        budget::try_reserve(COST).map_err(|_| Errno::EAGAIN)?;
        let affinity = current().map_or(u64::MAX, |parent| parent.affinity.load(Ordering::Relaxed));
        let thread = Arc::new(Self {
            tid: AtomicU32::new(tid),
            process: process.clone(),
            signals: SpinLock::new(signals),
            attention: AtomicBool::new(false),
            is_dying: AtomicBool::new(false),
            unparker: Arc::default(),
            clear_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            last_cpu: AtomicU32::new(0),
            affinity: AtomicU64::new(affinity),
            meter: Meter::default(),
            name: SpinLock::new(None),
            was_ticked: AtomicBool::new(false),
        });
        let local = Local {
            thread: thread.clone(),
            fpu: RefCell::new(registers.fpu),
            fs_base: Cell::new(registers.fs_base),
            gs_base: Cell::new(registers.gs_base),
            space: RefCell::new(process.space()),
            fpu_room: Cell::new(None),
        };
        let entered = thread.clone();
        let task = TaskOptions::new(move || run(entered, context)).data(thread.clone()).local_data(local);
        let task = Arc::new(task.build().map_err(|_| Errno::EAGAIN)?);
        process.threads.lock().add(&thread)?;
        if let Err(errno) = prepare(&thread) {
            process.threads.lock().remove(&thread);
            return Err(errno);
        }
        task.run();
        Ok(thread)
    }

    /// Thread ID; the first thread's is the process ID.
    pub(crate) fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// What it is called: prctl(2).
    pub(crate) fn name(&self) -> Vec<u8> {
        let own = self.name.lock().clone();
        own.unwrap_or_else(|| self.process.name.lock().clone())
    }

    /// Calls it so.
    pub(crate) fn set_name(&self, name: Vec<u8>) {
        if self.tid() == self.process.pid() {
            *self.process.name.lock() = name;
        } else {
            *self.name.lock() = Some(name);
        }
    }

    /// Makes it the first thread by number: execve(2) by another one.
    pub(crate) fn become_first(&self) {
        self.tid.store(self.process.pid(), Ordering::Relaxed);
        *self.name.lock() = None;
    }

    /// The process it belongs to.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Whether it must look at signals before it goes on in user mode.
    pub(crate) fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire)
    }

    /// Makes it look at signals soon; ends its sleep, or its time in user mode.
    pub(crate) fn call_attention(&self) {
        self.attention.store(true, Ordering::SeqCst);
        self.wake();
        if self.meter.is_in_user() {
            self.kick();
        }
    }

    /// Interrupts its CPU, on whose way back to user mode the flag is seen. Should the thread be about to enter user
    /// mode and not be there yet, its next tick does the same within 1 ms.
    fn kick(&self) {
        let number = self.last_cpu.load(Ordering::Relaxed);
        let here = disable_preempt();
        if let Ok(cpu) = CpuId::try_from(number as usize)
            && cpu != here.current_cpu()
        {
            ostd::smp::inter_processor_call(&CpuSet::from(cpu), || {});
        }
    }

    /// Looks at signals before it goes on, if there may be one that the mask lets through now. For itself.
    pub(crate) fn recheck_signals(&self) {
        if signal::has_deliverable(self) {
            self.attention.store(true, Ordering::SeqCst);
        }
    }

    /// It runs on this CPU from now on; interrupts are off.
    pub(super) fn switched_to(&self) {
        let cpu = disable_preempt().current_cpu().as_usize();
        self.last_cpu.store(cpu as u32, Ordering::Relaxed);
        self.meter.start();
    }

    /// A tick found it running. In interrupt context.
    pub(super) fn tick(&self) {
        self.meter.tick();
        if timers::wants_ticks(&self.process) {
            self.was_ticked.store(true, Ordering::Relaxed);
            self.attention.store(true, Ordering::SeqCst);
        }
    }

    /// Notes that it enters user mode, or left it.
    #[inline]
    pub(crate) fn set_in_user(&self, is_in_user: bool) {
        self.meter.set_in_user(is_in_user);
    }

    /// Counts a page fault.
    pub(crate) fn count_fault(&self) {
        self.meter.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the call; the caller looks at signals next.
    pub(crate) fn take_attention(&self) {
        self.attention.store(false, Ordering::SeqCst);
        if self.was_ticked.swap(false, Ordering::Relaxed) {
            timers::after_tick(&self.process);
        }
    }

    /// Makes it end.
    pub(crate) fn kill(&self) {
        self.is_dying.store(true, Ordering::Release);
        self.call_attention();
    }

    /// Makes it end by its own wish. The first thread's status is what the process leaves, if nothing else ends it.
    pub(crate) fn finish(&self, status: u8) {
        if self.tid() == self.process.pid() {
            self.process.first_status.store(status, Ordering::Relaxed);
        }
        self.kill();
    }

    /// Whether it must end.
    pub(crate) fn is_dying(&self) -> bool {
        self.is_dying.load(Ordering::Acquire)
    }

    /// Ends its sleep, or the next one before it begins.
    pub(crate) fn wake(&self) {
        self.unparker.unpark();
    }

    /// What it has used.
    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage(self.unparker.sleeps())
    }

    /// Where it sleeps.
    pub(crate) fn unparker(&self) -> &Arc<Unparker> {
        &self.unparker
    }
}

impl Myself {
    /// Of the current task, which runs `thread`.
    pub(crate) fn new(thread: &Arc<Thread>) -> Self {
        let task = event::Task::new(thread.unparker.clone());
        let poll_context = RefCell::new(poll_set::PollContext::new(&task));
        Self { thread: thread.clone(), parker: Parker::new(&thread.unparker), poll_context }
    }

    /// Moves the current thread to a CPU that it may run on, if this is none.
    pub(crate) fn leave_cpu(&self) {
        /// Longer than it takes to fall asleep, most times.
        const NAP: Duration = Duration::from_micros(50);
        let may_stay = || {
            let cpu = self.last_cpu.load(Ordering::Relaxed);
            self.affinity.load(Ordering::Relaxed).checked_shr(cpu).unwrap_or(1) & 1 != 0
        };
        // A short sleep: whoever wakes a thread chooses its CPU anew. One that is over before it began moves nobody.
        while !may_stay() {
            let unparker = self.unparker.clone();
            let timer = timer::arm(clock::now().saturating_add(NAP), unparker);
            self.parker.park();
            drop(timer);
        }
    }
}

impl Deref for Myself {
    type Target = Arc<Thread>;

    fn deref(&self) -> &Arc<Thread> {
        &self.thread
    }
}

impl poll_set::PollThread for Myself {
    fn poll_context(&self) -> RefMut<'_, poll_set::PollContext> {
        self.poll_context.borrow_mut()
    }
}

impl Sleep<event::Pollux> for Myself {
    type Deadline = Duration;

    fn task(&self) -> event::Task {
        event::Task::new(self.unparker.clone())
    }

    fn sleep(&self, until: Option<Duration>) -> WakeReason {
        if until.is_some_and(|until| until <= clock::now()) {
            return WakeReason::TimedOut;
        }
        let timer = until.map(|until| timer::arm(until, self.unparker.clone()));
        trace::event(Kind::Sleep, self.tid(), 0);
        self.parker.park();
        drop(timer);
        let wake = match until {
            Some(until) if until <= clock::now() => WakeReason::TimedOut,
            _ => WakeReason::Woken,
        };
        trace::event(Kind::Wake, self.tid(), usize::from(wake == WakeReason::TimedOut));
        wake
    }

    fn is_interrupted(&self) -> bool {
        self.needs_attention() && (self.is_dying() || super::signal::has_deliverable(&self.thread))
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
        super::hooks::save(local, &disable_local());
        Registers {
            fpu: local.fpu.borrow().clone(),
            fs_base: local.fs_base.get(),
            gs_base: local.gs_base.get(),
        }
    })
}

/// Room for floating-point registers on their way to a signal frame or back, which is too large to be made and cleared
/// each time. Anything may be in it but in its header, which is as `XSAVE` left it, or as it was checked for `XRSTOR`.
pub(super) fn take_fpu_room() -> FpuContext {
    with_local(|local| local.fpu_room.take()).unwrap_or_default()
}

/// Keeps the room for the next signal.
pub(super) fn give_fpu_room(room: FpuContext) {
    with_local(|local| local.fpu_room.set(Some(room)));
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
