//! The scheduler: a round-robin run queue for each CPU.
//!
//! Owns: the run queues, the idle tasks.   Not here: what is saved and loaded at a switch (hooks).
//! Locks: the run queues', with interrupts off, because interrupt handlers wake tasks.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use ostd::cpu::{CpuId, PinCurrentCpu, num_cpus};
use ostd::sync::{LocalIrqDisabled, SpinLock};
use ostd::task::scheduler::info::CommonSchedInfo;
use ostd::task::scheduler::{self, EnqueueFlags, LocalRunQueue, Scheduler, UpdateFlags};
use ostd::task::{Task, TaskOptions, disable_preempt, halt_cpu};
use ostd::util::id_set::Id;

use spin::Once;

use super::thread::Thread;
use crate::machine::memory::reclaim;

/// The time slice in ticks of 1 ms.
const SLICE: u32 = 4;

struct RunQueues {
    queues: Vec<SpinLock<Queue, LocalIrqDisabled>>,
    /// Runnable tasks of each CPU, with the running one and without the idle task, for choosing a CPU.
    loads: Vec<AtomicUsize>,
}

#[derive(Default)]
struct Queue {
    current: Option<Arc<Task>>,
    /// The idle task, which runs when no other can; it is never in `waiting`.
    idle: Option<Arc<Task>>,
    is_idle: bool,
    waiting: VecDeque<Arc<Task>>,
    ticks: u32,
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
    let queues = QUEUES.get().map_or(&[][..], |queues| &queues.queues);
    queues.iter().map(|queue| queue.lock().spent).collect()
}

/// The data of an idle task, which mark it as one.
#[derive(Clone, Copy)]
struct Idle(CpuId);

/// Installs the scheduler. Called before the first task is created.
pub(crate) fn install() {
    let queues = (0..num_cpus()).map(|_| SpinLock::new(Queue::default())).collect();
    let loads = (0..num_cpus()).map(|_| AtomicUsize::new(0)).collect();
    let queues: &'static RunQueues = Box::leak(Box::new(RunQueues { queues, loads }));
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
        self.loads[cpu.as_usize()].load(Ordering::Relaxed)
    }
}

/// Returns whether `affinity` allows `cpu`.
fn allows(affinity: u64, cpu: CpuId) -> bool {
    affinity.checked_shr(cpu.as_usize() as u32).unwrap_or(1) & 1 != 0
}

impl Scheduler<Task> for RunQueues {
    fn enqueue(&self, task: Arc<Task>, _flags: EnqueueFlags) -> Option<CpuId> {
        let thread = thread_of(&task);
        if thread.is_none()
            && let Some(&Idle(cpu)) = task.data().downcast_ref::<Idle>()
        {
            task.cpu().set_anyway(cpu);
            self.queues[cpu.as_usize()].lock().idle = Some(task);
            return Some(cpu);
        }
        let guard = disable_preempt();
        let affinity = thread.map_or(u64::MAX, |thread| thread.affinity.load(Ordering::Relaxed));
        let wanted = self.choose(guard.current_cpu(), affinity);
        let (cpu, was_queued) = match task.cpu().set_if_is_none(wanted) {
            Ok(()) => (wanted, false),
            Err(cpu) => (cpu, true),
        };
        let mut queue = self.queues[cpu.as_usize()].lock();
        // The task may have left the queue between the two checks.
        if was_queued && task.cpu().set_if_is_none(cpu).is_err() {
            return None;
        }
        queue.waiting.push_back(task);
        self.loads[cpu.as_usize()].fetch_add(1, Ordering::Relaxed);
        (queue.is_idle || queue.current.is_none()).then_some(cpu)
    }

    fn local_rq_with(&self, f: &mut dyn FnMut(&dyn LocalRunQueue<Task>)) {
        let guard = disable_preempt();
        f(&*self.queues[guard.current_cpu().as_usize()].lock());
    }

    fn mut_local_rq_with(&self, f: &mut dyn FnMut(&mut dyn LocalRunQueue<Task>)) {
        let guard = disable_preempt();
        let cpu = guard.current_cpu().as_usize();
        let mut queue = self.queues[cpu].lock();
        f(&mut *queue);
        let running = usize::from(queue.current.is_some() && !queue.is_idle);
        self.loads[cpu].store(queue.waiting.len() + running, Ordering::Relaxed);
    }
}

impl LocalRunQueue<Task> for Queue {
    fn current(&self) -> Option<&Arc<Task>> {
        self.current.as_ref()
    }

    fn update_current(&mut self, flags: UpdateFlags) -> bool {
        match flags {
            UpdateFlags::Tick => {
                self.ticks += 1;
                if let Some(thread) = self.current.as_ref().and_then(thread_of) {
                    thread.tick();
                    if thread.meter.is_in_user() {
                        self.spent.user += 1;
                    } else {
                        self.spent.system += 1;
                    }
                } else if self.is_idle {
                    self.spent.idle += 1;
                }
                // OSTD frees unmapped memory only after each CPU has switched tasks, to the idle task if to no other.
                let has_other = !self.waiting.is_empty() || (!self.is_idle && reclaim::wants_quiesce());
                has_other && (self.is_idle || self.ticks >= SLICE)
            }
            UpdateFlags::Yield => !self.waiting.is_empty() || (self.current.is_none() && self.idle.is_some()),
            UpdateFlags::Wait | UpdateFlags::Exit => !self.waiting.is_empty() || !self.is_idle,
        }
    }

    fn try_pick_next(&mut self) -> Option<&Arc<Task>> {
        let (next, is_idle) = match self.waiting.pop_front() {
            Some(task) => (task, false),
            // Only a pending grace period is reason to leave a task that could go on.
            None if self.current.is_some() && (self.is_idle || !reclaim::wants_quiesce()) => return None,
            None => (self.idle.take()?, true),
        };
        self.ticks = 0;
        self.spent.switches += 1;
        let was_idle = core::mem::replace(&mut self.is_idle, is_idle);
        if let Some(previous) = self.current.replace(next) {
            if was_idle {
                self.idle = Some(previous);
            } else {
                self.waiting.push_back(previous);
            }
        }
        self.current.as_ref()
    }

    fn dequeue_current(&mut self) -> Option<Arc<Task>> {
        self.current.take().inspect(|task| task.cpu().set_to_none())
    }
}
