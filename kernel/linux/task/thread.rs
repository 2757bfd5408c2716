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

use ostd::arch::cpu::context::UserContext;
use ostd::cpu::{CpuId, CpuSet, PinCurrentCpu};
use ostd::sync::SpinLock;
use ostd::task::{Task, TaskOptions, disable_preempt};
use ostd::util::id_set::Id;
use pollee::{Sleep, WakeReason};
use rules::abi::errno::Errno;

use super::process::Process;
use super::registers::{Local, Registers};
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

/// Kernel stack and bookkeeping of a thread, in bytes.
const COST: usize = 96 << 10;

/// Runs a thread from its first instruction on: the loop in `syscall/enter`.
pub(crate) type Run = fn(Arc<Thread>, UserContext);

/// A thread, as other threads see it.
pub(crate) struct Thread {
    /// Thread ID; execve(2) can replace it by the process ID.
    tid: AtomicU32,
    process: Arc<Process>,
    /// The thread's own signals; those of the process are in [`Process::signals`].
    pub(crate) signals: SpinLock<ThreadSignals>,
    /// Set when the thread must handle signals or end before it returns to user mode.
    attention: AtomicBool,
    /// Set when the thread must end.
    is_dying: AtomicBool,
    unparker: Arc<Unparker>,
    /// set_tid_address(2): the address that is zeroed and woken when the thread ends.
    pub(crate) clear_tid: AtomicUsize,
    /// set_robust_list(2).
    pub(crate) robust_list: AtomicUsize,
    /// The CPU that the thread ran on last.
    pub(crate) last_cpu: AtomicU32,
    /// Bit `n` is set if the thread may run on CPU `n`.
    pub(crate) affinity: AtomicU64,
    pub(crate) meter: Meter,
    /// The name set with prctl(2); the first thread's name is the process's.
    pub(crate) name: SpinLock<Option<Vec<u8>>>,
    /// Set when a tick found work other than signals.
    was_ticked: AtomicBool,
}

/// A thread as it sees itself. Only the thread itself can sleep.
pub(crate) struct Myself {
    thread: Arc<Thread>,
    parker: Parker,
    poll_context: RefCell<poll_set::PollContext>,
}

impl Thread {
    /// Starts a thread of `process` and adds it to the process's threads.
    ///
    /// `prepare` is called after the thread was added and before it runs.
    ///
    /// # Errors
    /// Nothing was started. `EAGAIN`: out of memory, or the process accepts no more threads. Those of `prepare`.
    pub(crate) fn spawn(
        process: &Arc<Process>,
        tid: u32,
        signals: ThreadSignals,
        registers: Registers,
        context: UserContext,
        run: Run,
        prepare: impl FnOnce(&Arc<Self>) -> Result<(), Errno>,
    ) -> Result<Arc<Self>, Errno> {
        let _grant = budget::grant(COST).map_err(|_| Errno::EAGAIN)?;
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

    /// Returns the thread ID; the first thread's is the process ID.
    pub(crate) fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// Returns the thread's name: prctl(2).
    pub(crate) fn name(&self) -> Vec<u8> {
        let own = self.name.lock().clone();
        own.unwrap_or_else(|| self.process.name.lock().clone())
    }

    /// Sets the thread's name.
    pub(crate) fn set_name(&self, name: Vec<u8>) {
        if self.tid() == self.process.pid() {
            *self.process.name.lock() = name;
        } else {
            *self.name.lock() = Some(name);
        }
    }

    /// Gives the thread the process ID as its thread ID, for execve(2) by a thread other than the first.
    pub(crate) fn become_first(&self) {
        self.tid.store(self.process.pid(), Ordering::Relaxed);
        *self.name.lock() = None;
    }

    /// Returns the process that the thread belongs to.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Returns whether the thread must handle signals before it returns to user mode.
    pub(crate) fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire)
    }

    /// Makes the thread handle signals soon: ends its sleep, or interrupts it in user mode.
    pub(crate) fn call_attention(&self) {
        self.attention.store(true, Ordering::SeqCst);
        self.wake();
        if self.meter.is_in_user() {
            self.kick();
        }
    }

    /// Interrupts the thread's CPU, which checks the flag on its way back to user mode. If the thread has not quite
    /// entered user mode yet, its next tick does the same within 1 ms.
    fn kick(&self) {
        let number = self.last_cpu.load(Ordering::Relaxed);
        let here = disable_preempt();
        if let Ok(cpu) = CpuId::try_from(number as usize)
            && cpu != here.current_cpu()
        {
            ostd::smp::inter_processor_call(&CpuSet::from(cpu), || {});
        }
    }

    /// Makes the current thread handle signals before it goes on, if the mask may let one through now.
    pub(crate) fn recheck_signals(&self) {
        if signal::has_deliverable(self) {
            self.attention.store(true, Ordering::SeqCst);
        }
    }

    /// Notes that the thread runs on this CPU from now on. Interrupts are off.
    pub(super) fn switched_to(&self) {
        let cpu = disable_preempt().current_cpu().as_usize();
        self.last_cpu.store(cpu as u32, Ordering::Relaxed);
        self.meter.start();
    }

    /// Notes that a tick found the thread running. Called in interrupt context.
    pub(super) fn tick(&self) {
        self.meter.tick();
        if timers::wants_ticks(&self.process) {
            self.was_ticked.store(true, Ordering::Relaxed);
            self.attention.store(true, Ordering::SeqCst);
        }
    }

    /// Notes that the thread enters user mode, or left it.
    #[inline]
    pub(crate) fn set_in_user(&self, is_in_user: bool) {
        self.meter.set_in_user(is_in_user);
    }

    /// Counts a page fault.
    pub(crate) fn count_fault(&self) {
        self.meter.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Clears the request for attention; the caller handles signals next.
    pub(crate) fn take_attention(&self) {
        self.attention.store(false, Ordering::SeqCst);
        if self.was_ticked.swap(false, Ordering::Relaxed) {
            timers::after_tick(&self.process);
        }
    }

    /// Makes the thread end.
    pub(crate) fn kill(&self) {
        self.is_dying.store(true, Ordering::Release);
        self.call_attention();
    }

    /// Makes the current thread end. The first thread's status becomes the process's, unless something else ends the
    /// process.
    pub(crate) fn finish(&self, status: u8) {
        if self.tid() == self.process.pid() {
            self.process.first_status.store(status, Ordering::Relaxed);
        }
        self.kill();
    }

    /// Returns whether the thread must end.
    pub(crate) fn is_dying(&self) -> bool {
        self.is_dying.load(Ordering::Acquire)
    }

    /// Ends the thread's sleep, or its next one before it begins.
    pub(crate) fn wake(&self) {
        self.unparker.unpark();
    }

    /// Returns what the thread has used.
    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage(self.unparker.sleeps())
    }

    /// Returns the handle that ends the thread's sleep.
    pub(crate) fn unparker(&self) -> &Arc<Unparker> {
        &self.unparker
    }
}

impl Myself {
    /// Wraps `thread`, which the current task runs.
    pub(crate) fn new(thread: &Arc<Thread>) -> Self {
        let task = event::Task::new(thread.unparker.clone());
        let poll_context = RefCell::new(poll_set::PollContext::new(&task));
        Self { thread: thread.clone(), parker: Parker::new(&thread.unparker), poll_context }
    }

    /// Moves the current thread to a CPU in its affinity mask, if this CPU is not in it.
    pub(crate) fn leave_cpu(&self) {
        /// Usually longer than it takes to fall asleep.
        const NAP: Duration = Duration::from_micros(50);
        let may_stay = || {
            let cpu = self.last_cpu.load(Ordering::Relaxed);
            self.affinity.load(Ordering::Relaxed).checked_shr(cpu).unwrap_or(1) & 1 != 0
        };
        // A short sleep, because waking a thread chooses its CPU anew. A sleep that is over before it began moves
        // nothing.
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

/// Returns the running thread; `None` in a kernel task.
pub(crate) fn current() -> Option<Arc<Thread>> {
    Task::current()?.data().downcast_ref::<Arc<Thread>>().cloned()
}
