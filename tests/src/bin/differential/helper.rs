//! A second thread, which works while the first one waits.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Time for the first thread to fall asleep. Its result does not depend on whether it has.
const DELAY: Duration = Duration::from_micros(300);

/// A thread that works on demand. It lives as long as the process.
pub(crate) struct Helper {
    tasks: Sender<Box<dyn FnOnce() -> String + Send>>,
    results: Receiver<String>,
}

impl Helper {
    pub(crate) fn new() -> Self {
        let (tasks, todo) = mpsc::channel::<Box<dyn FnOnce() -> String + Send>>();
        let (done, results) = mpsc::channel();
        thread::spawn(move || {
            for task in todo {
                if done.send(task()).is_err() {
                    return;
                }
            }
        });
        Self { tasks, results }
    }

    /// Lets the thread begin with `work` soon.
    pub(crate) fn begin(&self, work: impl FnOnce() -> String + Send + 'static) {
        let work = move || {
            thread::sleep(DELAY);
            work()
        };
        self.tasks.send(Box::new(work)).expect("the thread runs");
    }

    /// Waits until the thread is done, and returns the work's result.
    pub(crate) fn join(&self) -> String {
        self.results.recv().expect("the thread runs")
    }
}
