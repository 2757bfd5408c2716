//! A process: what its threads share, and its place among the others.
//!
//! Locks: each field has its own; none is held while another process is looked at, except that a parent's
//! list of children is locked before a child's fields.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::credentials::Credentials;

use super::limits::ResourceLimits;
use super::signal::pending::ProcessSignals;
use super::signal::signalfd::SignalFd;
use super::thread::Thread;
use super::threads::ThreadList;
use super::timer::Timers;
use super::usage::Usage;
use super::{pidfd, process_table};
use crate::core::event;
use crate::core::event::parker::Parker;
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
pub(crate) enum ExitStatus {
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
    pub(crate) threads: SpinLock<ThreadList>,
    space: SpinLock<Arc<AddressSpace>>,
    files: SpinLock<Arc<FdTable>>,
    pub(crate) paths: SpinLock<Paths>,
    pub(crate) credentials: SpinLock<Credentials>,
    pub(crate) signals: SpinLock<ProcessSignals>,
    pub(crate) end: SpinLock<Option<ExitStatus>>,
    /// What the first thread gave to exit(2).
    pub(crate) first_status: AtomicU8,
    /// Set when the last thread has ended and the parent may find it.
    is_zombie: AtomicBool,
    /// What `signals` says, for those who only look.
    pub(crate) is_stopped: AtomicBool,
    pub(crate) limits: ResourceLimits,
    pub(crate) timers: Timers,
    /// What its threads used that have ended, and its children that were waited for.
    pub(crate) used: SpinLock<Used>,
    group: AtomicU32,
    session: AtomicU32,
    /// The thread of the parent that waits in vfork(2) until this process has ended or runs another program.
    pub(super) vfork_parent: SpinLock<Option<Arc<Parker>>>,
    /// The descriptors that wait for its end.
    pub(super) watchers: SpinLock<Vec<Weak<event::Locked<pidfd::PidfdState>>>>,
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

impl Process {
    /// The first process.
    pub(crate) fn first(space: Arc<AddressSpace>, cwd: Location) -> Arc<Self> {
        let paths = Paths { cwd, umask: Permissions::from_mode(0o022) };
        let process = Arc::new(Self::new(
            space,
            Arc::new(FdTable::new()),
            paths,
            ProcessSignals::new(),
            ResourceLimits::first(),
        ));
        process_table::insert(&process);
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
        process_table::check_room(parent)?;
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
        limits: ResourceLimits,
    ) -> Self {
        let pid = process_table::next_id();
        Self {
            pid,
            parent: Parent::none(),
            children: SpinLock::new(Vec::new()),
            threads: SpinLock::new(ThreadList::default()),
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
            vfork_parent: SpinLock::new(None),
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
        process_table::insert(self);
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

    /// Notes that `parent` waits in vfork(2) until [`Process::release_vfork_parent`]. Before the process runs.
    pub(crate) fn set_vfork_parent(&self, parent: &Thread) {
        *self.vfork_parent.lock() = Some(parent.parker().clone());
    }

    /// Lets the parent go on that waits in vfork(2), if one does.
    pub(crate) fn release_vfork_parent(&self) {
        let parent = self.vfork_parent.lock().take();
        if let Some(parent) = parent {
            parent.unpark();
        }
    }

    /// Whether its parent waits in vfork(2), and its memory is the parent's.
    pub(crate) fn borrows_space(&self) -> bool {
        self.vfork_parent.lock().is_some()
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
