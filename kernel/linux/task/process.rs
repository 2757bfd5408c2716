//! A process: what its threads share, and its place among the others.
//!
//! Locks: each field has its own; none is held while another process is looked at, except that a parent's
//! list of children is locked before a child's fields.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;

use super::limits::{Limits, Resource};
use super::pidfd;
use super::signal::pending::ProcessSignals;
use super::signal::signalfd::SignalFd;
use super::thread::Thread;
use super::threads::Threads;
use super::timer::Timers;
use super::usage::Usage;
use crate::core::event;
use crate::core::event::parker::Unparker;
use crate::core::file::table::FdTable;
use crate::linux::fs::mount::Location;
use crate::machine::clock;
use crate::machine::memory::space::AddressSpace;

/// Where paths begin for a process, and what new files do not get: shared with `CLONE_FS`, which here only
/// threads do.
#[derive(Clone)]
pub(crate) struct Paths {
    /// The working directory.
    pub(crate) cwd: Location,
    /// umask(2).
    pub(crate) umask: Permissions,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It called exit(2), with this status.
    Exited(u8),
    /// A signal ended it.
    Killed(u8),
}

/// The process that hears of another's end, with its number apart: getppid(2) needs no reference.
pub(crate) struct Parent {
    link: SpinLock<Weak<Process>>,
    /// 0 for none.
    pid: AtomicU32,
}

impl Parent {
    const fn none() -> Self {
        Self { link: SpinLock::new(Weak::new()), pid: AtomicU32::new(0) }
    }

    fn new(parent: &Arc<Process>) -> Self {
        Self { link: SpinLock::new(Arc::downgrade(parent)), pid: AtomicU32::new(parent.pid) }
    }

    /// Puts another one in place.
    pub(crate) fn replace(&self, parent: &Arc<Process>) {
        let mut link = self.link.lock();
        *link = Arc::downgrade(parent);
        self.pid.store(parent.pid, Ordering::Relaxed);
    }

    /// The process, if it is still there.
    pub(crate) fn get(&self) -> Option<Arc<Process>> {
        self.link.lock().upgrade()
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }
}

/// A process.
pub(crate) struct Process {
    pid: u32,
    pub(crate) parent: Parent,
    pub(crate) children: SpinLock<Vec<Arc<Process>>>,
    pub(crate) threads: SpinLock<Threads>,
    space: SpinLock<Arc<AddressSpace>>,
    files: SpinLock<Arc<FdTable>>,
    pub(crate) paths: SpinLock<Paths>,
    pub(crate) credentials: SpinLock<Credentials>,
    pub(crate) signals: SpinLock<ProcessSignals>,
    pub(crate) end: SpinLock<Option<End>>,
    /// What the first thread gave to exit(2).
    pub(crate) first_status: AtomicU8,
    /// Set when the last thread has ended and the parent may find it.
    is_zombie: AtomicBool,
    /// What `signals` says, for those who only look.
    pub(crate) is_stopped: AtomicBool,
    pub(crate) limits: Limits,
    pub(crate) timers: Timers,
    /// What its threads used that have ended, and its children that were waited for.
    pub(crate) used: SpinLock<Used>,
    group: AtomicU32,
    session: AtomicU32,
    /// The thread of the parent that waits in vfork(2) until this process has ended or runs another program.
    pub(super) lender: SpinLock<Option<Arc<Unparker>>>,
    /// The descriptors that wait for its end.
    pub(super) watchers: SpinLock<Vec<Weak<event::Locked<pidfd::State>>>>,
    /// The signalfds that it has watched or waited for.
    pub(super) signal_files: SpinLock<Vec<Weak<SignalFd>>>,
    /// Whether it has called execve(2) since fork(2): setpgid(2) asks.
    pub(crate) has_executed: AtomicBool,
    /// Up to 15 bytes of the program's name, for prctl(2) and messages.
    pub(crate) name: SpinLock<Vec<u8>>,
    /// What execve(2) got, each argument with a zero byte behind it.
    pub(crate) arguments: SpinLock<Arc<[u8]>>,
    /// When it was made, since the start of the kernel.
    pub(crate) started: Duration,
    /// The path of the program.
    pub(crate) program: SpinLock<Vec<u8>>,
    /// The signal that its parent gets when it ends; 0 for none.
    pub(crate) exit_signal: AtomicU32,
    /// The signal that it gets when its parent ends; 0 for none: `PR_SET_PDEATHSIG`.
    pub(crate) parent_death_signal: AtomicU32,
    /// Whether orphans among its descendants become its children: `PR_SET_CHILD_SUBREAPER`.
    pub(crate) is_subreaper: AtomicBool,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub(crate) no_new_privileges: AtomicBool,
    /// Whether its program may ask for private barriers of membarrier(2).
    pub(crate) has_registered_barriers: AtomicBool,
}

/// What is added up of those that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Threads of this process that have ended.
    pub(crate) threads: Usage,
    /// Children that were waited for, and theirs.
    pub(crate) children: Usage,
}

static PROCESSES: SpinLock<BTreeMap<u32, Arc<Process>>> = SpinLock::new(BTreeMap::new());
static LAST_ID: AtomicU32 = AtomicU32::new(0);

/// Processes that may exist at a time, zombies included.
const MOST: usize = 8192;

/// Held while all members of a group are sent a signal, and while a child is published: no child escapes a signal to its
/// group that its parent has not seen yet.
pub(crate) static MEMBERSHIP: SpinLock<()> = SpinLock::new(());

/// A number for a new thread or process.
///
/// Numbers are not used again before four billion others, which no run reaches.
pub(crate) fn next_id() -> u32 {
    LAST_ID.fetch_add(1, Ordering::Relaxed) + 1
}

/// The number given last.
pub(crate) fn last_id() -> u32 {
    LAST_ID.load(Ordering::Relaxed)
}

/// The process with that ID, zombies included.
pub(crate) fn find(pid: u32) -> Option<Arc<Process>> {
    PROCESSES.lock().get(&pid).cloned()
}

/// All processes, zombies included.
pub(crate) fn all() -> Vec<Arc<Process>> {
    PROCESSES.lock().values().cloned().collect()
}

/// The thread with that ID.
pub(crate) fn find_thread(tid: u32) -> Option<Arc<Thread>> {
    let with_tid = |process: &Arc<Process>| {
        let threads = process.threads.lock();
        threads.iter().find(|thread| thread.tid() == tid).cloned()
    };
    // Most are asked for by the number of their process.
    if let Some(thread) = find(tid).as_ref().and_then(with_tid) {
        return Some(thread);
    }
    PROCESSES.lock().values().find_map(with_tid)
}

/// The processes that `meets` holds for, zombies included. It is called with all processes locked, and looks at what
/// no lock guards.
pub(crate) fn filter(meets: impl Fn(&Process) -> bool) -> Vec<Arc<Process>> {
    PROCESSES.lock().values().filter(|process| meets(process)).cloned().collect()
}

/// Whether `meets` holds for any process; as [`filter`].
pub(crate) fn any(meets: impl Fn(&Process) -> bool) -> bool {
    PROCESSES.lock().values().any(|process| meets(process))
}

/// Forgets a process that was waited for.
pub(crate) fn forget(pid: u32) {
    let _process = PROCESSES.lock().remove(&pid);
}

impl Process {
    /// The first process.
    pub(crate) fn first(space: Arc<AddressSpace>, cwd: Location) -> Arc<Self> {
        let paths = Paths { cwd, umask: Permissions::from_mode(0o022) };
        let process = Arc::new(Self::new(
            space,
            Arc::new(FdTable::new()),
            paths,
            ProcessSignals::new(),
            Limits::first(),
        ));
        PROCESSES.lock().insert(process.pid, process.clone());
        process
    }

    /// A child of `parent` with what fork(2) copies: the caller gives what it may share instead.
    ///
    /// Nobody finds it before [`Process::publish`].
    ///
    /// # Errors
    /// `EAGAIN`: too many processes, or more than `RLIMIT_NPROC` allows the user.
    pub(crate) fn child(
        parent: &Arc<Self>,
        space: Arc<AddressSpace>,
        files: Arc<FdTable>,
    ) -> Result<Arc<Self>, Errno> {
        let credentials = *parent.credentials.lock();
        check_room(parent)?;
        let copy = |number: &AtomicU32| AtomicU32::new(number.load(Ordering::Relaxed));
        let flag = |flag: &AtomicBool| AtomicBool::new(flag.load(Ordering::Relaxed));
        let paths = parent.paths.lock().clone();
        let signals = parent.signals.lock().for_child();
        Ok(Arc::new(Self {
            parent: Parent::new(parent),
            credentials: SpinLock::new(credentials),
            group: copy(&parent.group),
            session: copy(&parent.session),
            name: SpinLock::new(parent.name.lock().clone()),
            arguments: SpinLock::new(parent.arguments.lock().clone()),
            program: SpinLock::new(parent.program.lock().clone()),
            no_new_privileges: flag(&parent.no_new_privileges),
            has_registered_barriers: flag(&parent.has_registered_barriers),
            ..Self::new(space, files, paths, signals, parent.limits.clone())
        }))
    }

    /// A process without a parent, which leads a group and a session, of the privileged user.
    fn new(
        space: Arc<AddressSpace>,
        files: Arc<FdTable>,
        paths: Paths,
        signals: ProcessSignals,
        limits: Limits,
    ) -> Self {
        let pid = next_id();
        Self {
            pid,
            parent: Parent::none(),
            children: SpinLock::new(Vec::new()),
            threads: SpinLock::new(Threads::default()),
            space: SpinLock::new(space),
            files: SpinLock::new(files),
            paths: SpinLock::new(paths),
            credentials: SpinLock::new(Credentials::ROOT),
            signals: SpinLock::new(signals),
            end: SpinLock::new(None),
            first_status: AtomicU8::new(0),
            is_zombie: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            limits,
            timers: Timers::default(),
            used: SpinLock::new(Used::default()),
            group: AtomicU32::new(pid),
            session: AtomicU32::new(pid),
            lender: SpinLock::new(None),
            watchers: SpinLock::new(Vec::new()),
            signal_files: SpinLock::new(Vec::new()),
            has_executed: AtomicBool::new(false),
            name: SpinLock::new(Vec::new()),
            arguments: SpinLock::new(Arc::default()),
            started: clock::now(),
            program: SpinLock::new(Vec::new()),
            exit_signal: AtomicU32::new(0),
            parent_death_signal: AtomicU32::new(0),
            is_subreaper: AtomicBool::new(false),
            no_new_privileges: AtomicBool::new(false),
            has_registered_barriers: AtomicBool::new(false),
        }
    }

    /// Lets others find it: by its number, and its parent among its children.
    pub(crate) fn publish(self: &Arc<Self>, parent: &Arc<Self>) {
        PROCESSES.lock().insert(self.pid, self.clone());
        parent.children.lock().push(self.clone());
    }

    /// Process ID.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is the first process, which no signal ends unasked.
    pub(crate) fn is_init(&self) -> bool {
        self.pid == 1
    }

    /// Its process group.
    pub(crate) fn group(&self) -> u32 {
        self.group.load(Ordering::Relaxed)
    }

    /// Its session.
    pub(crate) fn session(&self) -> u32 {
        self.session.load(Ordering::Relaxed)
    }

    /// Moves it to a process group, and perhaps a session, of its own or another.
    pub(crate) fn join(&self, session: u32, group: u32) {
        self.session.store(session, Ordering::Relaxed);
        self.group.store(group, Ordering::Relaxed);
    }

    /// Whether its last thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_zombie.load(Ordering::Acquire)
    }

    /// Notes that its last thread has ended and all that it had is given up.
    pub(super) fn set_ended(&self) {
        self.is_zombie.store(true, Ordering::Release);
    }

    /// What its threads use and used.
    pub(crate) fn usage(&self) -> Usage {
        let threads = self.threads.lock();
        let mut sum = self.used.lock().threads;
        for thread in threads.iter() {
            sum += thread.usage();
        }
        sum
    }

    /// Bytes of the largest resident set that it ever had.
    pub(crate) fn peak(&self) -> usize {
        self.space().statistics().peak.max(self.used.lock().threads.peak)
    }

    /// Notes the largest resident set of memory that it gives up.
    pub(crate) fn keep_peak(&self, space: &AddressSpace) {
        let peak = space.statistics().peak;
        let mut used = self.used.lock();
        used.threads.peak = used.threads.peak.max(peak);
    }

    /// Notes that `lender` waits in vfork(2) until [`Process::release_lender`]. Before the process runs.
    pub(crate) fn lend(&self, lender: &Thread) {
        *self.lender.lock() = Some(lender.unparker().clone());
    }

    /// Lets the parent go on that waits in vfork(2), if one does.
    pub(crate) fn release_lender(&self) {
        let lender = self.lender.lock().take();
        if let Some(lender) = lender {
            lender.unpark();
        }
    }

    /// Whether its parent waits in vfork(2), and its memory is the parent's.
    pub(crate) fn borrows_space(&self) -> bool {
        self.lender.lock().is_some()
    }

    /// Its address space.
    pub(crate) fn space(&self) -> Arc<AddressSpace> {
        self.space.lock().clone()
    }

    /// Puts another address space in place and returns the old one.
    pub(crate) fn replace_space(&self, space: Arc<AddressSpace>) -> Arc<AddressSpace> {
        core::mem::replace(&mut *self.space.lock(), space)
    }

    /// Its file descriptors.
    pub(crate) fn files(&self) -> Arc<FdTable> {
        self.files.lock().clone()
    }

    /// Puts another table in place and returns the old one, for dropping without a lock.
    pub(crate) fn replace_files(&self, files: Arc<FdTable>) -> Arc<FdTable> {
        core::mem::replace(&mut *self.files.lock(), files)
    }

    /// Wakes all its threads, which look at what they wait for.
    pub(crate) fn wake_threads(&self) {
        for thread in self.threads.lock().iter() {
            thread.wake();
        }
    }
}

/// Whether there may be another process or thread of `parent`'s user.
///
/// # Errors
/// `EAGAIN`: there may not.
pub(crate) fn check_room(parent: &Process) -> Result<(), Errno> {
    let credentials = *parent.credentials.lock();
    let most = parent.limits.soft(Resource::Processes);
    let processes = PROCESSES.lock();
    if processes.len() >= MOST {
        return Err(Errno::EAGAIN);
    }
    let is_bound = credentials.users.real != 0
        && !credentials.can(Capability::SYS_RESOURCE)
        && !credentials.can(Capability::SYS_ADMIN);
    if most == u64::MAX || !is_bound {
        return Ok(());
    }
    let of_user = |process: &Arc<Process>| {
        // Linux counts threads.
        let is_users = process.credentials.lock().users.real == credentials.users.real;
        if is_users { process.threads.lock().len() } else { 0 }
    };
    let count: usize = processes.values().map(of_user).sum();
    if count as u64 >= most { Err(Errno::EAGAIN) } else { Ok(()) }
}
