//! A process: what its threads share, and its place among the others.
//!
//! Locks: each field has its own; none is held while another process is looked at, except that a parent's
//! list of children is locked before a child's fields.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use model::abi::errno::Errno;
use model::abi::mode::Permissions;
use model::access::Credentials;
use ostd::sync::SpinLock;

use super::signal::pending::ProcessSignals;
use super::thread::Thread;
use crate::file::table::FdTable;
use crate::fs::mount::Location;
use crate::memory::space::AddressSpace;

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

/// Soft limits that processes inherit, beside those of the address space.
#[derive(Debug)]
pub(crate) struct Limits {
    /// `RLIMIT_NOFILE`: soft and hard.
    pub(crate) files: AtomicU32,
    pub(crate) files_most: AtomicU32,
    /// `RLIMIT_FSIZE`: how far regular files may grow.
    pub(crate) file_size: AtomicU64,
    /// `RLIMIT_NPROC`, for users other than root.
    pub(crate) processes: AtomicU64,
}

/// A process.
pub(crate) struct Process {
    pid: u32,
    pub(crate) parent: SpinLock<Weak<Process>>,
    pub(crate) children: SpinLock<Vec<Arc<Process>>>,
    pub(crate) threads: SpinLock<Vec<Arc<Thread>>>,
    space: SpinLock<Arc<AddressSpace>>,
    files: SpinLock<Arc<FdTable>>,
    pub(crate) paths: SpinLock<Paths>,
    pub(crate) credentials: SpinLock<Credentials>,
    pub(crate) signals: SpinLock<ProcessSignals>,
    pub(crate) end: SpinLock<Option<End>>,
    pub(crate) limits: Limits,
    pub(crate) group: AtomicU32,
    pub(crate) session: AtomicU32,
    /// Up to 15 bytes of the program's name, for prctl(2) and messages.
    pub(crate) name: SpinLock<Vec<u8>>,
    /// The path of the program.
    pub(crate) program: SpinLock<Vec<u8>>,
    /// The signal that its parent gets when it ends; 0 for none.
    pub(crate) exit_signal: AtomicU32,
}

static PROCESSES: SpinLock<BTreeMap<u32, Arc<Process>>> = SpinLock::new(BTreeMap::new());
static LAST_ID: AtomicU32 = AtomicU32::new(0);

/// Processes and threads that may exist at a time: each has a kernel stack.
const MOST: usize = 8192;

/// A number for a new thread or process.
///
/// Numbers are not used again before four billion others, which no run reaches.
pub(crate) fn next_id() -> u32 {
    LAST_ID.fetch_add(1, Ordering::Relaxed) + 1
}

/// The process with that ID, zombies included.
pub(crate) fn find(pid: u32) -> Option<Arc<Process>> {
    PROCESSES.lock().get(&pid).cloned()
}

/// The thread with that ID.
pub(crate) fn find_thread(tid: u32) -> Option<Arc<Thread>> {
    // Most often asked for: the first thread of a process.
    let first = find(tid).and_then(|process| process.thread(tid));
    first.or_else(|| all().iter().find_map(|process| process.thread(tid)))
}

/// All processes, zombies included.
pub(crate) fn all() -> Vec<Arc<Process>> {
    PROCESSES.lock().values().cloned().collect()
}

/// Forgets a process that was waited for.
pub(crate) fn forget(pid: u32) {
    let _process = PROCESSES.lock().remove(&pid);
}

impl Process {
    /// The first process.
    pub(crate) fn first(space: Arc<AddressSpace>, cwd: Location) -> Arc<Self> {
        let pid = next_id();
        let process = Arc::new(Self {
            pid,
            parent: SpinLock::new(Weak::new()),
            children: SpinLock::new(Vec::new()),
            threads: SpinLock::new(Vec::new()),
            space: SpinLock::new(space),
            files: SpinLock::new(Arc::new(FdTable::new())),
            paths: SpinLock::new(Paths { cwd, umask: Permissions::from_mode(0o022) }),
            credentials: SpinLock::new(Credentials::ROOT),
            signals: SpinLock::new(ProcessSignals::new()),
            end: SpinLock::new(None),
            limits: Limits {
                files: AtomicU32::new(1024),
                files_most: AtomicU32::new(4096),
                file_size: AtomicU64::new(u64::MAX),
                processes: AtomicU64::new(u64::MAX),
            },
            group: AtomicU32::new(pid),
            session: AtomicU32::new(pid),
            name: SpinLock::new(Vec::new()),
            program: SpinLock::new(Vec::new()),
            exit_signal: AtomicU32::new(0),
        });
        PROCESSES.lock().insert(pid, process.clone());
        process
    }

    /// A child of `parent` with what fork(2) copies: the caller gives what it may share instead.
    ///
    /// # Errors
    /// `EAGAIN`: too many processes, or more than `RLIMIT_NPROC` allows the user.
    pub(crate) fn child(
        parent: &Arc<Self>,
        space: Arc<AddressSpace>,
        files: Arc<FdTable>,
    ) -> Result<Arc<Self>, Errno> {
        let credentials = *parent.credentials.lock();
        parent.check_count()?;
        let copy = |limit: &AtomicU32| AtomicU32::new(limit.load(Ordering::Relaxed));
        let child = Arc::new(Self {
            pid: next_id(),
            parent: SpinLock::new(Arc::downgrade(parent)),
            children: SpinLock::new(Vec::new()),
            threads: SpinLock::new(Vec::new()),
            space: SpinLock::new(space),
            files: SpinLock::new(files),
            paths: SpinLock::new(parent.paths.lock().clone()),
            credentials: SpinLock::new(credentials),
            signals: SpinLock::new(parent.signals.lock().for_child()),
            end: SpinLock::new(None),
            limits: Limits {
                files: copy(&parent.limits.files),
                files_most: copy(&parent.limits.files_most),
                file_size: AtomicU64::new(parent.limits.file_size.load(Ordering::Relaxed)),
                processes: AtomicU64::new(parent.limits.processes.load(Ordering::Relaxed)),
            },
            group: copy(&parent.group),
            session: copy(&parent.session),
            name: SpinLock::new(parent.name.lock().clone()),
            program: SpinLock::new(parent.program.lock().clone()),
            exit_signal: AtomicU32::new(0),
        });
        PROCESSES.lock().insert(child.pid, child.clone());
        parent.children.lock().push(child.clone());
        Ok(child)
    }

    /// Checks that this process may have one more thread, or child.
    ///
    /// # Errors
    /// `EAGAIN`: there are too many, or more than `RLIMIT_NPROC` allows the user.
    pub(crate) fn check_count(&self) -> Result<(), Errno> {
        if PROCESSES.lock().len() >= MOST {
            return Err(Errno::EAGAIN);
        }
        let most = self.limits.processes.load(Ordering::Relaxed);
        let credentials = *self.credentials.lock();
        if most == u64::MAX || credentials.is_privileged() {
            return Ok(());
        }
        // Counted when somebody has a limit, which is rare, and not kept up to date for everybody.
        let all = all();
        let of_user = all.iter().filter(|process| process.credentials.lock().uid == credentials.uid);
        let count: usize = of_user.map(|process| process.threads.lock().len().max(1)).sum();
        if count as u64 >= most { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Process ID.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
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

    fn thread(&self, tid: u32) -> Option<Arc<Thread>> {
        self.threads.lock().iter().find(|thread| thread.tid() == tid).cloned()
    }

    /// Wakes all its threads, which look at what they wait for.
    pub(crate) fn wake_threads(&self) {
        let threads = self.threads.lock().clone();
        for thread in threads {
            thread.wake();
        }
    }
}
