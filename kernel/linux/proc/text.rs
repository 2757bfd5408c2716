//! Texts in `/proc/PID` about a process or a thread as a whole.
//!
//! What does not exist here (namespaces, swap) is missing from `status` and 0 in `stat`.
//! Source: proc(5); Linux 6.1 fs/proc/array.c, fs/proc/base.c (`lnames`).

use alloc::format;
use alloc::string::String;
use core::sync::atomic::Ordering;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::linux::credentials::Ids;
use rules::linux::sched::Attributes;

use super::subject::Subject;
use crate::linux::fs::tmpfs::dynamic::{self, Text};
use crate::linux::task::limits::Resource;
use crate::linux::task::oom;
use crate::linux::task::process::Process;
use crate::linux::task::signal::action;
use crate::linux::task::thread::Thread;
use crate::linux::terminal::session;
use crate::machine::memory::layout::PAGE_SIZE;
use rules::abi::signal::{SigSet, Signal};

/// Returns whether the thread runs or is runnable.
pub(super) fn is_running(thread: &Thread) -> bool {
    !thread.unparker().is_asleep()
}

#[derive(Clone, Copy)]
enum ProcessState {
    Running,
    Sleeping,
    Stopped,
    Zombie,
}

impl ProcessState {
    fn of(process: &Process, thread: Option<&Thread>) -> Self {
        match thread {
            _ if process.has_ended() => Self::Zombie,
            None => Self::Zombie,
            Some(_) if process.is_stopped.load(Ordering::Relaxed) => Self::Stopped,
            Some(thread) if is_running(thread) => Self::Running,
            Some(_) => Self::Sleeping,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Running => 'R',
            Self::Sleeping => 'S',
            Self::Stopped => 'T',
            Self::Zombie => 'Z',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
        }
    }
}

/// Returns the ignored and the caught signals.
fn actions(process: &Process) -> (SigSet, SigSet) {
    let signals = process.signals.lock();
    let (mut ignored, mut caught) = (SigSet::EMPTY, SigSet::EMPTY);
    for signal in (1..=64).filter_map(Signal::new) {
        match signals.actions.get(signal).handler {
            action::DEFAULT => {}
            action::IGNORE => ignored = ignored.with(signal),
            _ => caught = caught.with(signal),
        }
    }
    (ignored, caught)
}

/// Returns the thread's name, or the process's if no thread is left.
fn name(process: &Process, thread: Option<&Thread>) -> String {
    let name = thread.map_or_else(|| process.name.lock().to_vec(), Thread::name);
    String::from_utf8_lossy(&name).into_owned()
}

pub(super) fn stat(subject: Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let thread = subject.thread();
    let (Subject::Process(id) | Subject::Thread(_, id)) = subject;
    let used = match (subject, &thread) {
        (Subject::Thread(..), Some(thread)) => thread.usage(),
        _ => process.usage(),
    };
    let children = process.used.lock().children;
    let ticks = |time: Duration| time.as_millis() / 10;
    let sizes = process.space().statistics();
    let (device, foreground) = match session::terminal(process.session()) {
        Some(terminal) => (terminal.device().encode(), i64::from(terminal.owner().foreground)),
        None => (0, -1),
    };
    let (ignored, caught) = actions(&process);
    let (pending, mask) = thread.as_ref().map_or((0, 0), |thread| {
        let signals = thread.signals.lock();
        (signals.pending.signals().bits(), signals.mask.bits())
    });
    let scheduled = thread.as_ref().map_or_else(Attributes::default, |thread| thread.attributes());
    let text = format!(
        "{id} ({}) {} {} {} {} {device} {foreground} 0 {} {} 0 0 {} {} {} {} {} {} {} 0 {} {} {} {} 0 0 0 0 0 {} {} {} \
         {} 0 0 0 17 {} {} {} 0 0 0 0 0 0 0 0 0 0 0\n",
        name(&process, thread.as_deref()),
        ProcessState::of(&process, thread.as_deref()).letter(),
        process.parent.pid(),
        process.group(),
        process.session(),
        used.faults,
        children.faults,
        ticks(used.user()),
        ticks(used.system()),
        ticks(children.user()),
        ticks(children.system()),
        scheduled.shown_priority(),
        scheduled.nice,
        process.threads.lock().len(),
        ticks(process.started),
        sizes.virtual_size,
        sizes.resident / PAGE_SIZE,
        u64::MAX,
        pending,
        mask,
        ignored.bits(),
        caught.bits(),
        thread.as_ref().map_or(0, |thread| thread.last_cpu.load(Ordering::Relaxed)),
        scheduled.priority,
        scheduled.policy.number(),
    );
    dynamic::text(text)
}

pub(super) fn statm(subject: Subject) -> Result<Text, Errno> {
    let sizes = subject.process()?.space().statistics();
    let [size, resident, data] =
        [sizes.virtual_size, sizes.resident, sizes.data].map(|bytes| bytes / PAGE_SIZE);
    dynamic::text(format!("{size} {resident} 0 0 0 {data} 0\n"))
}

pub(super) fn status(subject: Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let thread = subject.thread();
    let (Subject::Process(id) | Subject::Thread(_, id)) = subject;
    let state = ProcessState::of(&process, thread.as_deref());
    let ids = process.credentials.lock().clone();
    let all = |ids: Ids| format!("{}\t{}\t{}\t{}", ids.real, ids.effective, ids.saved, ids.file);
    let mut groups = String::new();
    for group in ids.supplementary.iter() {
        groups.push_str(&format!("{group} "));
    }
    // Linux ends the line with a blank in any case.
    groups.push_str(if groups.is_empty() { " " } else { "" });
    let mut text = format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{id}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:\t{}\nGid:\t{}\nFDSize:\t{}\nGroups:\t{groups}\n",
        name(&process, thread.as_deref()),
        process.paths.lock().umask.to_mode(),
        state.letter(),
        state.word(),
        process.pid(),
        process.parent.pid(),
        all(ids.users),
        all(ids.groups),
        process.files().read().capacity(),
    );
    if !process.has_ended() {
        let sizes = process.space().statistics();
        let sizes = [
            ("VmSize", sizes.virtual_size),
            ("VmHWM", sizes.peak),
            ("VmRSS", sizes.resident),
            ("VmData", sizes.data),
        ];
        for (name, bytes) in sizes {
            text.push_str(&format!("{name}:\t{:>8} kB\n", bytes >> 10));
        }
    }
    let (ignored, caught) = actions(&process);
    let shared = process.signals.lock().pending.signals().bits();
    let (queued, most_queued) =
        (process.account().signals.used(), process.limits.soft(Resource::PendingSignals));
    let (pending, mask) = thread.as_ref().map_or((0, 0), |thread| {
        let signals = thread.signals.lock();
        (signals.pending.signals().bits(), signals.mask.bits())
    });
    let sets = ids.capabilities;
    text.push_str(&format!(
        "Threads:\t{}\nSigQ:\t{queued}/{most_queued}\nSigPnd:\t{pending:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{mask:016x}\nSigIgn:\t{:016x}\n\
         SigCgt:\t{:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\n\
         CapAmb:\t{:016x}\nNoNewPrivs:\t{}\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t0\n",
        process.threads.lock().len(),
        ignored.bits(),
        caught.bits(),
        sets.inheritable.bits(),
        sets.permitted.bits(),
        sets.effective.bits(),
        sets.bounding.bits(),
        sets.ambient.bits(),
        u8::from(process.no_new_privileges.load(Ordering::Relaxed)),
        thread.as_ref().map_or(0, |thread| thread.usage().voluntary_switches),
    ));
    dynamic::text(text)
}

/// Returns how bad the process is when memory runs out.
pub(super) fn oom_score(subject: Subject) -> Result<Text, Errno> {
    let points = oom::badness(&*subject.process()?);
    dynamic::text(format!("{}\n", rules::linux::oom::score(points, oom::total_pages())))
}

pub(super) fn comm(subject: Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    dynamic::text(format!("{}\n", name(&process, subject.thread().as_deref())))
}

/// Returns the arguments of execve(2); empty for a process that has ended.
pub(super) fn cmdline(subject: Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    if process.has_ended() {
        return Ok(Text::default());
    }
    Ok(process.arguments.lock().clone())
}

/// The names and units of resource limits, by number.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

pub(super) fn limits(subject: Subject) -> Result<Text, Errno> {
    let process = subject.process()?;
    let shown = |limit: u64| if limit == u64::MAX { "unlimited".into() } else { format!("{limit}") };
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (number, (name, unit)) in LIMITS.into_iter().enumerate() {
        let [soft, hard] = process.limits.get(number).unwrap_or([u64::MAX; 2]).map(shown);
        text.push_str(&format!("{name:<25} {soft:<20} {hard:<20} {unit:<10}\n"));
    }
    dynamic::text(text)
}
