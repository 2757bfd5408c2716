//! The scheduler: a run queue for each CPU.
//!
//! Owns: the run queues, the idle tasks, the choice of a CPU.   Not here: the order of a queue
//! (`rules::machine::scheduling`), policies (`rules::linux::sched`), what is saved and loaded at a switch (hooks).
//! Locks: the run queues', with interrupts off, because interrupt handlers wake tasks; under one, the seat of a task
//! that enters or leaves. Nothing under them allocates: a task brings its entity along.
//! Why: decision 0118.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ostd::cpu::{CpuId, PinCurrentCpu, num_cpus};
use ostd::sync::{LocalIrqDisabled, SpinLock};
use ostd::task::scheduler::info::CommonSchedInfo;
use ostd::task::scheduler::{self, EnqueueFlags, LocalRunQueue, Scheduler, UpdateFlags};
use ostd::task::{Task, TaskOptions, disable_preempt, halt_cpu};
use ostd::util::id_set::Id;
use rules::abi::errno::Errno;
use rules::linux::sched::Attributes;
use rules::machine::scheduling::{Arrival, Class, Entity, Manner, Queue};
use spin::Once;

use super::thread::Thread;
use crate::machine::clock;
use crate::machine::kernel_task::{KernelTaskData, Seat};
use crate::machine::memory::reclaim;

struct RunQueues {
    cpus: Vec<SpinLock<Cpu, LocalIrqDisabled>>,
    hints: Vec<Hints>,
}

/// What other CPUs read of a queue without its lock.
#[derive(Default)]
struct Hints {
    /// Runnable tasks, with the running one and without the idle task, for choosing a CPU.
    load: AtomicUsize,
    /// The queue's virtual time, for a task that moves to another.
    floor: AtomicU64,
}

#[derive(Default)]
struct Cpu {
    queue: Queue<Arc<Task>>,
    /// The idle task, which runs when no other can; it is never in `queue`.
    idle: Option<Arc<Task>>,
    is_idle: bool,
    /// Whether the next yield only checks if another task should run.
    checks: bool,
    /// The time of the last update of the current task.
    now: u64,
    spent: Spent,
}

/// A CPU's time by use, in ticks of 1 ms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// In user mode.
    pub(crate) user: u64,
    /// In the kernel.
    pub(crate) system: u64,
    /// Idle.
    pub(crate) idle: u64,
    /// Context switches.
    pub(crate) switches: u64,
}

static QUEUES: Once<&'static RunQueues> = Once::new();

/// Returns how each CPU has spent its time.
pub(crate) fn spent() -> Vec<Spent> {
    let cpus = QUEUES.get().map_or(&[][..], |queues| &queues.cpus);
    cpus.iter().map(|cpu| cpu.lock().spent).collect()
}

/// The data of an idle task, which mark it as one.
#[derive(Clone, Copy)]
struct Idle(CpuId);

/// Installs the scheduler. Called before the first task is created.
pub(crate) fn install() {
    let cpus = (0..num_cpus()).map(|_| SpinLock::new(Cpu::default())).collect();
    let hints = (0..num_cpus()).map(|_| Hints::default()).collect();
    let queues: &'static RunQueues = Box::leak(Box::new(RunQueues { cpus, hints }));
    QUEUES.call_once(|| queues);
    scheduler::inject_scheduler(queues);
}

/// Starts time slices and the idle task on the current CPU. On a CPU without a task this does not return.
pub(crate) fn start_cpu() {
    scheduler::enable_preemption_on_cpu();
    let cpu = disable_preempt().current_cpu();
    let task = TaskOptions::new(|| {
        loop {
            halt_cpu();
        }
    });
    #[expect(clippy::expect_used, reason = "there is memory for the first tasks, or there is no kernel")]
    task.data(Idle(cpu)).spawn().expect("no memory for the idle task");
}

/// Returns the thread that a task runs; `None` for a kernel task.
fn thread_of(task: &Arc<Task>) -> Option<&Arc<Thread>> {
    task.data().downcast_ref()
}

/// Returns where a task keeps its entity; `None` for tasks that only start the kernel.
fn seat_of(task: &Arc<Task>) -> Option<&Seat> {
    match thread_of(task) {
        Some(thread) => Some(&thread.seat),
        None => task.data().downcast_ref::<KernelTaskData>().map(|data| &data.seat),
    }
}

/// Held while a thread's attributes change.
static CHANGES: SpinLock<()> = SpinLock::new(());

/// Replaces a thread's attributes by what `change` makes of them, at once even if the thread runs or waits.
///
/// # Errors
/// Those of `change`; then nothing was changed.
pub(crate) fn change(
    thread: &Arc<Thread>,
    change: impl FnOnce(Attributes) -> Result<Attributes, Errno>,
) -> Result<(), Errno> {
    {
        let _alone = CHANGES.lock();
        let attributes = change(thread.attributes())?;
        thread.set_attributes(attributes);
        // It is nowhere for a moment while it enters or leaves a queue.
        while !set_class(thread, attributes.class()) {
            core::hint::spin_loop();
        }
    }
    check();
    Ok(())
}

/// Sets the class of a thread where it is. Returns false if it was not found.
fn set_class(thread: &Arc<Thread>, class: Class) -> bool {
    if let Some(entity) = thread.seat.disable_irq().lock().as_mut() {
        entity.set_class(class);
        return true;
    }
    let is_it = |task: &Arc<Task>| thread_of(task).is_some_and(|other| Arc::ptr_eq(other, thread));
    QUEUES.get().is_some_and(|queues| {
        queues.cpus.iter().any(|cpu| {
            let queue = &mut cpu.lock().queue;
            let now = clock::nanoseconds();
            if queue.current().is_some_and(is_it) {
                queue.set_current_class(class, now);
                return true;
            }
            let Some(mut entity) = queue.take_waiting(is_it) else { return false };
            entity.set_class(class);
            // A CPU that should switch to it does so at its next tick.
            let _ = queue.add(entity, Arrival::Woken, now);
            true
        })
    })
}

/// Switches to another task if one should run instead of the current one.
fn check() {
    if let Some(queues) = QUEUES.get() {
        {
            let guard = disable_preempt();
            queues.cpus[guard.current_cpu().as_usize()].lock().checks = true;
        }
        Task::yield_now();
    }
}

impl RunQueues {
    /// Chooses the CPU for a task that becomes runnable. Preemption is off.
    fn choose(&self, here: CpuId, affinity: u64) -> CpuId {
        // No CPU is clearly less loaded than one that runs only the waker.
        if self.load(here) <= 1 && allows(affinity, here) { here } else { self.search(here, affinity) }
    }

    /// Stays on this CPU unless another is clearly less loaded: a woken task's data are warm here.
    fn search(&self, here: CpuId, affinity: u64) -> CpuId {
        let mut best = (if allows(affinity, here) { self.load(here) } else { usize::MAX }, here);
        for cpu in ostd::cpu::all_cpus().filter(|cpu| allows(affinity, *cpu)) {
            let load = self.load(cpu);
            if load.saturating_add(1) < best.0 || (load == 0 && best.0 > 1) {
                best = (load, cpu);
            }
        }
        best.1
    }

    fn load(&self, cpu: CpuId) -> usize {
        self.hints[cpu.as_usize()].load.load(Ordering::Relaxed)
    }
}

/// Returns whether `affinity` allows `cpu`.
fn allows(affinity: u64, cpu: CpuId) -> bool {
    affinity.checked_shr(cpu.as_usize() as u32).unwrap_or(1) & 1 != 0
}

impl Scheduler<Task> for RunQueues {
    fn enqueue(&self, task: Arc<Task>, flags: EnqueueFlags) -> Option<CpuId> {
        let thread = thread_of(&task);
        if thread.is_none()
            && let Some(&Idle(cpu)) = task.data().downcast_ref::<Idle>()
        {
            task.cpu().set_anyway(cpu);
            self.cpus[cpu.as_usize()].lock().idle = Some(task);
            return Some(cpu);
        }
        let guard = disable_preempt();
        let affinity = thread.map_or(u64::MAX, |thread| thread.affinity.load(Ordering::Relaxed));
        let wanted = self.choose(guard.current_cpu(), affinity);
        let (cpu, was_queued) = match task.cpu().set_if_is_none(wanted) {
            Ok(()) => (wanted, false),
            Err(cpu) => (cpu, true),
        };
        let number = cpu.as_usize();
        let mut here = self.cpus[number].lock();
        // The task may have left the queue between the two checks.
        if was_queued && task.cpu().set_if_is_none(cpu).is_err() {
            return None;
        }
        // A task without a seat is one of a few that start the kernel.
        let entity = seat_of(&task).and_then(|seat| seat.lock().take());
        let mut entity = entity.unwrap_or_else(|| Entity::new(Class::fair(0, Manner::Patient)));
        if entity.home != number {
            entity.translate(self.hints[entity.home].floor.load(Ordering::Relaxed), here.queue.floor());
            entity.home = number;
        }
        entity.task = Some(task);
        let arrival = if flags == EnqueueFlags::Spawn { Arrival::New } else { Arrival::Woken };
        let preempts = here.queue.add(entity, arrival, clock::nanoseconds());
        self.hints[number].load.fetch_add(1, Ordering::Relaxed);
        preempts.then_some(cpu)
    }

    fn local_rq_with(&self, f: &mut dyn FnMut(&dyn LocalRunQueue<Task>)) {
        let guard = disable_preempt();
        f(&*self.cpus[guard.current_cpu().as_usize()].lock());
    }

    fn mut_local_rq_with(&self, f: &mut dyn FnMut(&mut dyn LocalRunQueue<Task>)) {
        let guard = disable_preempt();
        let number = guard.current_cpu().as_usize();
        let mut cpu = self.cpus[number].lock();
        f(&mut *cpu);
        let hints = &self.hints[number];
        hints.load.store(cpu.queue.len(), Ordering::Relaxed);
        hints.floor.store(cpu.queue.floor(), Ordering::Relaxed);
    }
}

impl Cpu {
    /// Counts a tick. Returns whether another task should run.
    fn tick(&mut self) -> bool {
        if let Some(task) = self.queue.current() {
            if let Some(thread) = thread_of(task) {
                thread.tick();
                if thread.meter.is_in_user() {
                    self.spent.user += 1;
                } else {
                    self.spent.system += 1;
                }
            }
        } else if self.is_idle {
            self.spent.idle += 1;
        }
        // OSTD frees unmapped memory only after each CPU has switched tasks, to the idle task if to no other.
        self.queue.tick(self.now) || (!self.is_idle && reclaim::wants_quiesce())
    }

    /// Starts the meter of the current task.
    fn start_meter(&self, now: u64) {
        if let Some(thread) = self.queue.current().and_then(thread_of) {
            thread.meter.start(now);
        }
    }
}

impl LocalRunQueue<Task> for Cpu {
    fn current(&self) -> Option<&Arc<Task>> {
        if self.is_idle { self.idle.as_ref() } else { self.queue.current() }
    }

    fn update_current(&mut self, flags: UpdateFlags) -> bool {
        self.now = clock::nanoseconds();
        match flags {
            UpdateFlags::Tick => self.tick(),
            UpdateFlags::Yield if core::mem::take(&mut self.checks) => self.queue.tick(self.now),
            UpdateFlags::Yield => {
                let is_first = !self.is_idle && self.queue.is_empty() && self.idle.is_some();
                self.queue.give_way(self.now) || is_first
            }
            UpdateFlags::Wait | UpdateFlags::Exit => self.queue.waiting() > 0 || !self.is_idle,
        }
    }

    fn try_pick_next(&mut self) -> Option<&Arc<Task>> {
        let mut now = self.now;
        let has_current = self.queue.current().is_some();
        if has_current {
            now = clock::nanoseconds();
            if let Some(thread) = self.queue.current().and_then(thread_of) {
                thread.meter.stop(now);
            }
        }
        if self.queue.pick(now) {
            self.is_idle = false;
            self.start_meter(now);
        } else {
            // Only a pending grace period is reason to leave a task that could go on.
            if self.is_idle || (has_current && !reclaim::wants_quiesce()) {
                self.start_meter(now);
                return None;
            }
            self.idle.as_ref()?;
            if let Some(current) = self.queue.take_current(now) {
                let _ = self.queue.add(current, Arrival::Woken, now);
            }
            self.is_idle = true;
        }
        self.spent.switches += 1;
        self.current()
    }

    fn dequeue_current(&mut self) -> Option<Arc<Task>> {
        let mut entity = self.queue.take_current(self.now)?;
        let task = entity.task.take()?;
        if let Some(thread) = thread_of(&task) {
            thread.meter.stop(self.now);
        }
        if let Some(seat) = seat_of(&task) {
            *seat.lock() = Some(entity);
        }
        // From here on, another CPU may take the entity.
        task.cpu().set_to_none();
        Some(task)
    }
}
