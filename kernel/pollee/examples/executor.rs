//! Readiness for an async executor: a future that is pending on a file, on one thread with thousands of tasks.
//!
//! `cargo run -p pollee --example executor`. The task of this host is a `Waker`; everything else is as with threads.

#[path = "host/lock.rs"]
mod lock;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use pollee::{Events, Locked, Readiness, Registration, WakeMode};

use crate::lock::Std;

/// A task, as events know it.
#[derive(Clone)]
struct Task(Waker);

impl pollee::Wake for Task {
    fn wake(&self) -> bool {
        self.0.wake_by_ref();
        true
    }
}

#[derive(Default)]
struct Channel(VecDeque<u64>);

impl Readiness for Channel {
    fn readiness(&self) -> Events {
        if self.0.is_empty() { Events::empty() } else { Events::IN }
    }
}

type File = Locked<Channel, Std<Task>>;

/// Takes a number, without blocking the thread. The first waker stands for the task: here all wakers of one do the same.
async fn receive(file: &File) -> u64 {
    let mut registration: Option<Registration<'_, Std<Task>>> = None;
    poll_fn(|context| {
        match &registration {
            // Before the try: an event that the try does not see may choose this task.
            Some(registration) => registration.rearm(),
            None => {
                let task = Task(context.waker().clone());
                let new = Registration::new(file, task, Events::IN, WakeMode::Exclusive);
                registration = Some(new.expect("memory to register"));
            }
        }
        file.lock().0.pop_front().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn send(file: &File, number: u64) {
    let mut channel = file.lock();
    channel.0.push_back(number);
    channel.raise(Events::IN);
}

/// Puts its number into the queue of those to be run.
struct Run(usize, Arc<Mutex<VecDeque<usize>>>);

impl Wake for Run {
    fn wake(self: Arc<Self>) {
        self.1.lock().expect("no panic under this lock").push_back(self.0);
    }
}

fn main() {
    const TASKS: u64 = 1000;
    let files: Vec<File> = (0..=TASKS).map(|_| File::default()).collect();
    // Each task hands on to the next what it receives, plus one.
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for pair in files.windows(2) {
        tasks.push(Box::pin(async { send(&pair[1], receive(&pair[0]).await + 1) }));
    }
    let queue = Arc::new(Mutex::new((0..tasks.len()).collect::<VecDeque<_>>()));
    let mut polls = 0;
    let mut run = || loop {
        let next = queue.lock().expect("no panic under this lock").pop_front();
        let Some(nr) = next else { return };
        let waker = Waker::from(Arc::new(Run(nr, Arc::clone(&queue))));
        polls += 1;
        let _ = tasks[nr].as_mut().poll(&mut Context::from_waker(&waker));
    };
    run();
    send(&files[0], 0);
    run();
    assert_eq!(files[TASKS as usize].lock().0.pop_front(), Some(TASKS));
    println!("{TASKS} tasks, {polls} polls");
}
