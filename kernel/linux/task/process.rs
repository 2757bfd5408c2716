//! A process: what its threads share, and its relations to other processes.
//!
//! Locks: each field has its own. A thread holds none of them while it looks at another process, with one exception: a
//! parent's list of children is locked before a child's fields.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use pollee::{Events, Wake};
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;
use rules::machine::fallible;

use super::limits::ResourceLimits;
use super::oom::Adjustment;
use super::process_table;
use super::processor_clock::TimeWatchers;
use super::signal::pending::ProcessSignals;
use super::signal::signalfd::SignalFd;
use super::thread::Thread;
use super::threads::ThreadList;
use super::timer::Timers;
use super::usage::Usage;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::event::parker::Unparker;
use crate::core::file::table::FdTable;
use crate::linux::fs::mount::Location;
use crate::linux::fs::opened::OpenedAt;
use crate::machine::clock;
use crate::machine::memory::account::{self, Account};
use crate::machine::memory::paged::PagedBytes;
use crate::machine::memory::space::AddressSpace;

/// The working directory and the umask of a process. `CLONE_FS` shares them; here only threads use it.
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
    /// The process called exit(2) with this status.
    Exited(u8),
    /// This signal killed the process.
    Killed(u8),
}

/// The parent, which learns of the process's end. Its ID is kept apart, so that getppid(2) needs no reference.
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

    /// Sets another parent.
    pub(crate) fn replace(&self, parent: &Arc<Process>) {
        let mut link = self.link.lock();
        *link = Arc::downgrade(parent);
        self.pid.store(parent.pid, Ordering::Relaxed);
    }

    /// Returns the parent, if it still exists.
    pub(crate) fn get(&self) -> Option<Arc<Process>> {
        self.link.lock().upgrade()
    }

    /// Returns the parent's process ID.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }
}

/// Up to 15 bytes of a name (`TASK_COMM_LEN`); fork(2) copies them without allocating.
pub(crate) type ProcessName = heapless::Vec<u8, 15>;

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
    /// What its real user's processes have together.
    account: SpinLock<Arc<Account>>,
    /// `PR_SET_DUMPABLE`: whether its own user may look into it.
    pub(crate) is_dumpable: AtomicBool,
    /// How it stands to the choice of who ends when memory does.
    pub(crate) oom: Adjustment,
    /// How often the process has called execve(2).
    pub(crate) executions: AtomicU32,
    /// What the parent's count was when this process was created.
    pub(crate) parent_executions: AtomicU32,
    pub(crate) signals: SpinLock<ProcessSignals>,
    pub(crate) exit_status: SpinLock<Option<ExitStatus>>,
    /// The status that the first thread passed to exit(2).
    pub(crate) first_status: AtomicU8,
    /// Set when the last thread has ended and the parent may reap the process.
    is_zombie: AtomicBool,
    /// A copy of `signals.is_stopped` that is read without the lock.
    pub(crate) is_stopped: AtomicBool,
    pub(crate) limits: ResourceLimits,
    pub(crate) timers: Timers,
    /// Who waits for its processor time, beside its own timers.
    pub(crate) time_watchers: TimeWatchers,
    /// What ended threads and reaped children have used.
    pub(crate) used: SpinLock<Used>,
    group: AtomicU32,
    session: AtomicU32,
    /// The parent's thread that waits in vfork(2) until this process ends or calls execve(2).
    pub(super) vfork_parent: SpinLock<Option<Arc<Unparker>>>,
    /// The readiness of the process, which its pidfds show.
    pub(super) pollee: event::LockFree,
    /// The signalfds that a thread of the process watched or waited on.
    pub(super) signal_files: SpinLock<Vec<Weak<SignalFd>>>,
    /// Whether the process has called execve(2) since fork(2), which setpgid(2) checks.
    pub(crate) has_executed: AtomicBool,
    /// The program's name, for prctl(2) and log messages.
    pub(crate) name: SpinLock<ProcessName>,
    /// The arguments of execve(2), each with its terminating zero byte.
    pub(crate) arguments: SpinLock<Arc<PagedBytes>>,
    /// When the process was created, since boot.
    pub(crate) started: Duration,
    /// The program's file; `None` once the process has ended.
    pub(crate) program: SpinLock<Option<Arc<OpenedAt>>>,
    /// The signal that the parent gets when the process ends; 0 for none.
    pub(crate) exit_signal: AtomicU32,
    /// The signal that the process gets when its parent ends; 0 for none: `PR_SET_PDEATHSIG`.
    pub(crate) parent_death_signal: AtomicU32,
    /// Whether orphans among its descendants become its children: `PR_SET_CHILD_SUBREAPER`.
    pub(crate) is_subreaper: AtomicBool,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub(crate) no_new_privileges: AtomicBool,
    /// Whether the program has registered for membarrier(2)'s private barriers.
    pub(crate) has_registered_barriers: AtomicBool,
}

/// The resource usage of threads and processes that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Threads of this process that have ended.
    pub(crate) threads: Usage,
    /// Children that were reaped, and theirs.
    pub(crate) children: Usage,
}

impl Process {
    /// Creates the first process.
    pub(crate) fn first(space: Arc<AddressSpace>, cwd: Location) -> Arc<Self> {
        let paths = Paths { cwd, umask: Permissions::from_mode(0o022) };
        let process = Arc::new(Self::new(None, space, Arc::new(FdTable::new()), paths));
        process_table::insert(&process);
        process
    }

    /// Creates a child of `parent` with what fork(2) copies; `space` and `files` may be the parent's own or copies.
    ///
    /// It is not found by others before [`Process::publish`].
    ///
    /// # Errors
    /// Nothing was created. `EAGAIN`: too many processes, or more than `RLIMIT_NPROC` allows the user.
    pub(crate) fn child(
        parent: &Arc<Self>,
        space: Arc<AddressSpace>,
        files: Arc<FdTable>,
    ) -> Result<Arc<Self>, Errno> {
        process_table::check_room(parent)?;
        let paths = parent.paths.lock().clone();
        Ok(Arc::new(Self::new(Some(parent), space, files, paths)))
    }

    /// Creates a process with what fork(2) copies of `parent`. One without a parent leads a group and a session and has
    /// root's credentials.
    // Each field is made in its place: some are large, and a process is moved once as it is.
    fn new(parent: Option<&Arc<Self>>, space: Arc<AddressSpace>, files: Arc<FdTable>, paths: Paths) -> Self {
        let pid = process_table::next_id();
        let number = |of: fn(&Self) -> &AtomicU32| {
            AtomicU32::new(parent.map_or(pid, |parent| of(parent).load(Ordering::Relaxed)))
        };
        let flag = |of: fn(&Self) -> &AtomicBool| {
            AtomicBool::new(parent.is_some_and(|parent| of(parent).load(Ordering::Relaxed)))
        };
        Self {
            pid,
            parent: parent.map_or_else(Parent::none, Parent::new),
            children: SpinLock::new(Vec::new()),
            threads: SpinLock::new(ThreadList::default()),
            space: SpinLock::new(space),
            files: SpinLock::new(files),
            paths: SpinLock::new(paths),
            credentials: SpinLock::new(
                parent.map_or(Credentials::ROOT, |parent| parent.credentials.lock().clone()),
            ),
            account: SpinLock::new(parent.map_or_else(|| account::of(0), |parent| parent.account())),
            is_dumpable: AtomicBool::new(
                parent.is_none_or(|parent| parent.is_dumpable.load(Ordering::Relaxed)),
            ),
            oom: parent.map_or_else(Adjustment::default, |parent| parent.oom.clone()),
            executions: AtomicU32::new(0),
            parent_executions: AtomicU32::new(
                parent.map_or(0, |parent| parent.executions.load(Ordering::Relaxed)),
            ),
            signals: SpinLock::new(
                parent.map_or_else(ProcessSignals::new, |parent| parent.signals.lock().for_child()),
            ),
            exit_status: SpinLock::new(None),
            first_status: AtomicU8::new(0),
            is_zombie: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            limits: parent.map_or_else(ResourceLimits::first, |parent| parent.limits.clone()),
            timers: Timers::default(),
            time_watchers: TimeWatchers::default(),
            used: SpinLock::new(Used::default()),
            group: number(|parent| &parent.group),
            session: number(|parent| &parent.session),
            vfork_parent: SpinLock::new(None),
            pollee: event::LockFree::new(Class::PidFd),
            signal_files: SpinLock::new(Vec::new()),
            has_executed: AtomicBool::new(false),
            name: SpinLock::new(parent.map_or_else(ProcessName::new, |parent| parent.name.lock().clone())),
            arguments: SpinLock::new(
                parent.map_or_else(Arc::default, |parent| parent.arguments.lock().clone()),
            ),
            started: clock::now(),
            program: SpinLock::new(parent.and_then(|parent| parent.program.lock().clone())),
            exit_signal: AtomicU32::new(0),
            parent_death_signal: AtomicU32::new(0),
            is_subreaper: AtomicBool::new(false),
            no_new_privileges: flag(|parent| &parent.no_new_privileges),
            has_registered_barriers: flag(|parent| &parent.has_registered_barriers),
        }
    }

    /// Makes the process visible: in the table of processes and among its parent's children.
    ///
    /// # Errors
    /// `ENOMEM`: it is not visible.
    pub(crate) fn publish(self: &Arc<Self>, parent: &Arc<Self>) -> Result<(), Errno> {
        fallible::push(&mut *parent.children.lock(), self.clone())?;
        process_table::insert(self);
        Ok(())
    }

    /// Returns what its real user's processes have together.
    pub(crate) fn account(&self) -> Arc<Account> {
        self.account.lock().clone()
    }

    /// Changes its credentials with `change`, and what depends on them: whether its user may look into it, and whether
    /// its parent's end concerns it (`commit_creds`).
    ///
    /// # Errors
    /// Those of `change`; nothing was changed.
    pub(crate) fn change_credentials<R>(
        &self,
        change: impl FnOnce(&mut Credentials) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut credentials = self.credentials.lock();
        let mut after = credentials.clone();
        let result = change(&mut after)?;
        if credentials.closes_with(&after) {
            self.is_dumpable.store(false, Ordering::Relaxed);
            self.parent_death_signal.store(0, Ordering::Relaxed);
        }
        let is_other = after.users.real != credentials.users.real;
        let user = after.users.real;
        // What is replaced is dropped without the lock.
        let before = core::mem::replace(&mut *credentials, after);
        let is_administrator = credentials.can(Capability::SYS_ADMIN);
        drop(credentials);
        self.space().set_administrators(is_administrator);
        if is_other {
            let account = account::of(user);
            let _before = core::mem::replace(&mut *self.account.lock(), account);
        }
        drop(before);
        Ok(result)
    }

    /// Returns the process ID.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns whether this is init. A signal that init has no handler for does not end it.
    pub(crate) fn is_init(&self) -> bool {
        self.pid == 1
    }

    /// Returns the ID of its process group.
    pub(crate) fn group(&self) -> u32 {
        self.group.load(Ordering::Relaxed)
    }

    /// Returns the ID of its session.
    pub(crate) fn session(&self) -> u32 {
        self.session.load(Ordering::Relaxed)
    }

    /// Moves the process to a session and a process group.
    pub(crate) fn join(&self, session: u32, group: u32) {
        self.session.store(session, Ordering::Relaxed);
        self.group.store(group, Ordering::Relaxed);
    }

    /// Returns whether its last thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_zombie.load(Ordering::Acquire)
    }

    /// Notes that the last thread of the process has ended and its resources are released. The result wakes the watchers
    /// of its pidfds when it is dropped: after the locks under which the end can be seen.
    pub(super) fn set_ended(&self) -> event::Notification<'_> {
        self.is_zombie.store(true, Ordering::Release);
        self.pollee.notify_events(Events::READABLE)
    }

    /// Returns what its threads use and have used.
    pub(crate) fn usage(&self) -> Usage {
        let threads = self.threads.lock();
        let mut sum = self.used.lock().threads;
        for thread in threads.iter() {
            sum += thread.usage();
        }
        sum
    }

    /// Returns the largest resident set that it ever had, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.space().statistics().peak.max(self.used.lock().threads.peak)
    }

    /// Notes the largest resident set of an address space that the process gives up.
    pub(crate) fn keep_peak(&self, space: &AddressSpace) {
        let peak = space.statistics().peak;
        let mut used = self.used.lock();
        used.threads.peak = used.threads.peak.max(peak);
    }

    /// Notes that `parent` waits in vfork(2) until [`Process::release_vfork_parent`]. Called before the process runs.
    pub(crate) fn set_vfork_parent(&self, parent: &Thread) {
        *self.vfork_parent.lock() = Some(parent.unparker().clone());
    }

    /// Wakes the parent's thread that waits in vfork(2), if there is one.
    pub(crate) fn release_vfork_parent(&self) {
        let parent = self.vfork_parent.lock().take();
        if let Some(parent) = parent {
            parent.wake();
        }
    }

    /// Returns whether the process still runs in its parent's address space, after vfork(2).
    pub(crate) fn borrows_space(&self) -> bool {
        self.vfork_parent.lock().is_some()
    }

    /// Returns its address space.
    pub(crate) fn space(&self) -> Arc<AddressSpace> {
        self.space.lock().clone()
    }

    /// Replaces the address space and returns the old one.
    pub(crate) fn replace_space(&self, space: Arc<AddressSpace>) -> Arc<AddressSpace> {
        core::mem::replace(&mut *self.space.lock(), space)
    }

    /// Returns its table of file descriptors.
    pub(crate) fn files(&self) -> Arc<FdTable> {
        self.files.lock().clone()
    }

    /// Replaces the table of file descriptors and returns the old one, to be dropped without a lock.
    pub(crate) fn replace_files(&self, files: Arc<FdTable>) -> Arc<FdTable> {
        core::mem::replace(&mut *self.files.lock(), files)
    }

    /// Wakes all its threads, which check again what they wait for.
    pub(crate) fn wake_threads(&self) {
        for thread in self.threads.lock().iter() {
            thread.wake();
        }
    }
}
