//! Runs many jobs in as few boots as possible: one, and one more for each job that takes the kernel down.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use anyhow::Result;
use pollux_protocol::{
    frame::Frame,
    job::{Job, JobList, Stdio},
    message::{End, Message},
};

use crate::{
    initramfs::Initramfs,
    machine::Machine,
    session::{Event, Session, Stream},
};

/// The time limit until init's first message.
const BOOT: Duration = Duration::from_secs(60);

/// The time beyond a job's own limit after which the kernel counts as hung.
const GRACE: Duration = Duration::from_secs(15);

/// The outcome of one job.
pub(crate) struct Record {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) result: Ending,
}

/// How a job ended.
pub(crate) enum Ending {
    /// The program ended by itself, or init ended it.
    Ended(End),
    /// The kernel went down, during the job or before it: the reason and the kernel's last words.
    Down(String),
}

/// Runs the jobs in order, and passes each job's index and record to `seen` as soon as the job ends.
pub(crate) fn run(
    machine: &Machine,
    files: &Initramfs,
    jobs: &[Job],
    mut seen: impl FnMut(usize, Record),
) -> Result<()> {
    let mut done = 0;
    while done < jobs.len() {
        let rest = JobList { stdio: Stdio::Ports, jobs: jobs[done..].to_vec() };
        let mut initramfs = files.clone();
        initramfs.init(&rest)?;
        let session = Session::start(machine, &initramfs.finish()?)?;
        let boot =
            Boot::new(session, machine, &rest.jobs).attend(|index, record| seen(done + index, record))?;
        done += boot.recorded;
        if !boot.spoke {
            // The next boot would not get further.
            for index in done..jobs.len() {
                let result = Ending::Down("not started: the kernel does not reach init".into());
                seen(index, Record { stdout: Vec::new(), stderr: Vec::new(), result });
            }
            return Ok(());
        }
    }
    Ok(())
}

/// A boot in progress.
struct Boot<'a> {
    session: Session,
    jobs: &'a [Job],
    /// Whether jobs have time limits; they have none under a debugger.
    limited: bool,
    /// Output that belongs to no record yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    spoke: bool,
    recorded: usize,
}

impl<'a> Boot<'a> {
    fn new(session: Session, machine: &Machine, jobs: &'a [Job]) -> Self {
        let limited = !machine.is_debugged();
        Self { session, jobs, limited, stdout: Vec::new(), stderr: Vec::new(), spoke: false, recorded: 0 }
    }

    /// Serves the guest until all jobs have ended or one has taken the kernel down.
    fn attend(mut self, mut seen: impl FnMut(usize, Record)) -> Result<Summary> {
        let mut deadline = self.limited.then(|| Instant::now() + BOOT);
        // The next job may end before all output of this one has arrived: the ports are independent.
        let mut ends = VecDeque::new();
        let mut started = 0;
        let reason = loop {
            match self.session.next(deadline)? {
                Event::Output(Stream::Stdout, bytes) => self.stdout.extend(bytes),
                Event::Output(Stream::Stderr, bytes) => self.stderr.extend(bytes),
                Event::Message(Message::Ready) => self.spoke = true,
                Event::Message(Message::Start(index)) => {
                    deadline = self.deadline(index);
                    started = index + 1;
                }
                Event::Message(Message::More) => self.session.input().send(&Frame::End),
                Event::Message(Message::End(end)) => ends.push_back(end),
                Event::Message(Message::Done) => {}
                Event::Message(Message::Fault(reason)) => break format!("init: {reason}"),
                Event::Exited(status) => break self.session.downfall(status),
                Event::TimedOut => break format!("{}the kernel hangs", self.session.whereabouts()),
            }
            while let Some(record) = ends.front().and_then(|end| self.record(end)) {
                ends.pop_front();
                seen(self.recorded, record);
                self.recorded += 1;
                if started == self.recorded {
                    deadline = self.limited.then(|| Instant::now() + GRACE);
                }
                if self.recorded == self.jobs.len() {
                    self.session.finish()?;
                    return Ok(Summary { spoke: self.spoke, recorded: self.recorded });
                }
            }
        };
        let result = Ending::Down(format!("{}{reason}", self.session.last_words()));
        let record =
            Record { stdout: mem::take(&mut self.stdout), stderr: mem::take(&mut self.stderr), result };
        seen(self.recorded, record);
        Ok(Summary { spoke: self.spoke, recorded: self.recorded + 1 })
    }

    fn deadline(&self, index: usize) -> Option<Instant> {
        let limit = self.jobs.get(index)?.timeout.filter(|_| self.limited)?;
        Some(Instant::now() + limit + GRACE)
    }

    /// Returns the record of the job that ended, once all its output has arrived. Further bytes are the next job's.
    fn record(&mut self, end: &End) -> Option<Record> {
        let stdout = usize::try_from(end.stdout).ok().filter(|&length| length <= self.stdout.len())?;
        let stderr = usize::try_from(end.stderr).ok().filter(|&length| length <= self.stderr.len())?;
        let stdout = self.stdout.drain(..stdout).collect();
        let stderr = self.stderr.drain(..stderr).collect();
        Some(Record { stdout, stderr, result: Ending::Ended(*end) })
    }
}

struct Summary {
    spoke: bool,
    recorded: usize,
}
