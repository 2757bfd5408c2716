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
use pollee::{Sleep, Wake, WakeReason};
use rules::abi::errno::Errno;
use rules::linux::sched::Attributes;
use rules::machine::scheduling::Entity;

use super::process::{Process, ProcessName};
use super::registers::{Local, Registers};
use super::signal;
use super::signal::pending::ThreadSignals;
use super::timer as timers;
use super::usage::{Meter, Usage};
use crate::core::event;
use crate::core::event::parker::{Parker, Unparker};
use crate::core::file::poll_set;
use crate::machine::clock::{self, timer};
use crate::machine::kernel_task::Seat;
use crate::machine::memory::budget;
use crate::machine::trace::{self, Kind};

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
    /// `CLONE_CHILD_SETTID`: the address that the thread's ID is written to before it runs.
    pub(crate) set_tid: AtomicUsize,
    /// set_robust_list(2).
    pub(crate) robust_list: AtomicUsize,
    /// The CPU that the thread ran on last.
    pub(crate) last_cpu: AtomicU32,
    /// Bit `n` is set if the thread may run on CPU `n`.
    pub(crate) affinity: AtomicU64,
    pub(crate) meter: Meter,
    /// The thread's [`Attributes`], as a word.
    attributes: AtomicU32,
    /// The thread's place in a run queue, while it is in none.
    pub(super) seat: Seat,
    /// The name set with prctl(2); the first thread's name is the process's.
    pub(crate) name: SpinLock<Option<Vec<u8>>>,
    /// Set when a tick found work other than signals.
    was_ticked: AtomicBool,
    /// Set when a copy from or to user memory ended short because memory ran out.
    is_starved: AtomicBool,
}

/// A thread as it sees itself. Only the thread itself can sleep.
pub(crate) struct CurrentThread {
    thread: Arc<Thread>,
    parker: Parker,
    /// When memory was found for it last, and how often in a row.
    reliefs: Cell<(Duration, u32)>,
    /// Made by the first wait for many files.
    poll_context: RefCell<Option<poll_set::PollContext>>,
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
        let parent = current();
        let affinity = parent.as_ref().map_or(u64::MAX, |parent| parent.affinity.load(Ordering::Relaxed));
        let attributes = parent.map_or_else(Attributes::default, |parent| parent.attributes().inherited());
        let thread = Arc::new(Self {
            tid: AtomicU32::new(tid),
            process: process.clone(),
            signals: SpinLock::new(signals),
            attention: AtomicBool::new(false),
            is_dying: AtomicBool::new(false),
            unparker: Arc::default(),
            clear_tid: AtomicUsize::new(0),
            set_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            last_cpu: AtomicU32::new(0),
            affinity: AtomicU64::new(affinity),
            meter: Meter::default(),
            attributes: AtomicU32::new(attributes.to_word()),
            seat: SpinLock::new(Some(Entity::new(attributes.class()))),
            name: SpinLock::new(None),
            was_ticked: AtomicBool::new(false),
            is_starved: AtomicBool::new(false),
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
        own.unwrap_or_else(|| self.process.name.lock().to_vec())
    }

    /// Sets the thread's name.
    pub(crate) fn set_name(&self, name: Vec<u8>) {
        if self.tid() == self.process.pid() {
            *self.process.name.lock() = ProcessName::from_slice(&name).unwrap_or_default();
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
        self.last_cpu.store(u32::from(CpuId::current_racy()), Ordering::Relaxed);
    }

    /// Returns how the thread is scheduled.
    pub(crate) fn attributes(&self) -> Attributes {
        Attributes::from_word(self.attributes.load(Ordering::Relaxed))
    }

    /// Replaces the attributes; only [`scheduler::change`](super::scheduler::change) does.
    pub(super) fn set_attributes(&self, attributes: Attributes) {
        self.attributes.store(attributes.to_word(), Ordering::Relaxed);
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

    /// Notes that a copy failed for lack of memory, not because of a bad address.
    pub(super) fn note_starved(&self) {
        self.is_starved.store(true, Ordering::Relaxed);
    }

    /// Returns whether a copy failed for lack of memory since the last call. The system call then returned `EFAULT`,
    /// although the address was good.
    #[must_use]
    pub(crate) fn take_starved(&self) -> bool {
        self.is_starved.load(Ordering::Relaxed) && self.is_starved.swap(false, Ordering::Relaxed)
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
        self.unparker.wake();
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

impl CurrentThread {
    /// Wraps `thread`, which the current task runs.
    pub(crate) fn new(thread: &Arc<Thread>) -> Self {
        let parker = Parker::new(&thread.unparker);
        let reliefs = Cell::new((Duration::ZERO, 0));
        Self { thread: thread.clone(), parker, reliefs, poll_context: RefCell::default() }
    }

    /// Notes that the thread is about to wait for memory. Returns whether that has a point: not if it has done so many
    /// times in a row.
    pub(super) fn begin_relief(&self) -> bool {
        const MOST: u32 = 1000;
        const IN_A_ROW: Duration = Duration::from_millis(200);
        let (last, count) = self.reliefs.get();
        let now = clock::now();
        let count = if now.saturating_sub(last) < IN_A_ROW { count + 1 } else { 1 };
        self.reliefs.set((now, count));
        count <= MOST
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

impl Deref for CurrentThread {
    type Target = Arc<Thread>;

    fn deref(&self) -> &Arc<Thread> {
        &self.thread
    }
}

impl poll_set::PollThread for CurrentThread {
    fn poll_context(&self) -> RefMut<'_, poll_set::PollContext> {
        RefMut::map(self.poll_context.borrow_mut(), |context| {
            context.get_or_insert_with(|| poll_set::PollContext::new(&self.unparker))
        })
    }
}

impl Sleep<event::Pollux> for CurrentThread {
    type Deadline = Duration;

    fn task(&self) -> Arc<Unparker> {
        self.unparker.clone()
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
