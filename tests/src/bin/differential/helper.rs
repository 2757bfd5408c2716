//! A second thread, which does something while the first one waits.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Time for the first thread to fall asleep. Whether it has does not change what it returns.
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

    /// Waits until it is done, and returns what the work returned.
    pub(crate) fn join(&self) -> String {
        self.results.recv().expect("the thread runs")
    }
}
