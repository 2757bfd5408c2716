//! Timers whose work is run by a task, not by the interrupt handler.
//!
//! Owns: work that is due and not yet done.   Not here: the deadlines (timer).
//! An interrupt handler may take none of the kernel's ordinary locks, so it only queues the work.
//! Why: decision 0031.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use ostd::sync::{LocalIrqDisabled, SpinLock};
use rules::abi::errno::Errno;

use super::timer::{self, Expire, Timer};
use crate::machine::kernel_task::{KernelTask, Sleeper, Urgency};

/// The work of a deferred timer.
pub(crate) trait Work: Send + Sync {
    /// Called by a task soon after the deadline; perhaps also after the timer was cancelled.
    fn run(&self);
}

struct Due(Arc<dyn Work>);

static QUEUE: SpinLock<VecDeque<Arc<dyn Work>>, LocalIrqDisabled> = SpinLock::new(VecDeque::new());
static WORKER: KernelTask = KernelTask::new(Urgency::Immediate);

/// Runs `work` at `deadline` of the monotonic clock, or soon if that is past.
///
/// Dropping the timer cancels it, unless the work is queued or has begun; `work` must tolerate one run after that.
pub(crate) fn arm(deadline: Duration, work: Arc<dyn Work>) -> Timer {
    timer::arm(deadline, Arc::new(Due(work)))
}

impl Expire for Due {
    fn expire(&self) {
        QUEUE.lock().push_back(self.0.clone());
        WORKER.wake();
    }
}

/// Starts the task that runs due work.
///
/// # Errors
/// `ENOMEM`: there is no memory for a task.
pub(crate) fn start() -> Result<(), Errno> {
    WORKER.spawn(serve)
}

fn serve(sleeper: &Sleeper) {
    loop {
        let due = QUEUE.lock().pop_front();
        match due {
            Some(work) => work.run(),
            None => sleeper.sleep(),
        }
    }
}
