//! Signal-driven I/O: files that send signals to their owners.
//!
//! Owns: the owner and the signal of each open file description that was given one, and its registration with the
//! file. Not here: which events cause which signals (`rules::linux::sigio`), the arguments of fcntl(2).
//! The Pollee carries it: while `O_ASYNC` is set, the description is an observer of its file. It is one by its file
//! alone, so nothing here keeps a file or a description open.
//! Locks: the table's is held for one look-up. A signal is sent with no lock held.
//! Source: fcntl(2), signal(7); Linux 6.1 fs/fcntl.c (`fasync_helper`, `send_sigio`, `sigio_perm`).
//! Why: decision 0124.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicI32, Ordering};

use ostd::sync::{Mutex, SpinLock};
use pollee::{Events, Observe, Token, WakeMode, Watcher};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::signal::Signal;
use rules::linux::credentials::Credentials;
use rules::linux::sigio::{Happened, Kind, Owner, OwnerKind, Reason};
use rules::machine::fallible;

use super::super::process::Process;
use super::super::{process_table, session};
use super::pending::{Info, Pending, Room};
use super::send;
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;
use crate::core::file::traits::File;
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// The state of the descriptions that were given an owner or a signal, until they are released.
static DESCRIPTIONS: SpinLock<BTreeMap<DescriptionId, Arc<SignalIo>>> = SpinLock::new(BTreeMap::new());

/// Who gets which signal, on whose behalf.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    owner: Owner,
    /// The real and the effective user who made it the owner.
    users: [u32; 2],
    /// The signal; `None` for `SIGIO` without details.
    signal: Option<Signal>,
}

/// The signal-driven I/O of an open file description.
pub(crate) struct SignalIo {
    file: Weak<dyn File>,
    target: SpinLock<Target>,
    /// The descriptor by which `O_ASYNC` was set.
    fd: AtomicI32,
    registration: Mutex<Option<Token>>,
}

/// The observer of a file, which sends signals for its description.
struct Sender {
    io: Arc<SignalIo>,
    kind: Kind,
}

/// Returns the owner and the signal of a description.
pub(crate) fn target(file: &OpenFile) -> Target {
    let io = DESCRIPTIONS.lock().get(&file.id()).cloned();
    io.map_or_else(Target::default, |io| *io.target.lock())
}

/// Returns the state of a description, made at the first call.
fn of(file: &OpenFile) -> Result<Arc<SignalIo>, Errno> {
    if let Some(io) = DESCRIPTIONS.lock().get(&file.id()) {
        return Ok(io.clone());
    }
    let _grant = budget::grant(PAGE_SIZE)?;
    let new = Arc::new(SignalIo {
        file: Arc::downgrade(file.file()),
        target: SpinLock::new(Target::default()),
        fd: AtomicI32::new(-1),
        registration: Mutex::new(None),
    });
    let io = DESCRIPTIONS.lock().entry(file.id()).or_insert(new).clone();
    let observer: Arc<dyn ReleaseObserver> = io.clone();
    if let Err(error) = file.observe(&observer) {
        let _unused = DESCRIPTIONS.lock().remove(&file.id());
        return Err(error);
    }
    Ok(io)
}

/// Makes `owner` the owner, on behalf of a process with these credentials.
///
/// # Errors
/// Nothing changed. `ESRCH`: nobody has this ID. `ENOMEM`.
pub(crate) fn set_owner(file: &OpenFile, owner: Owner, credentials: &Credentials) -> Result<(), Errno> {
    if owner.id != 0 && !is_id(owner.id) {
        return Err(Errno::ESRCH);
    }
    let io = of(file)?;
    let mut target = io.target.lock();
    target.owner = owner;
    if owner.id != 0 {
        target.users = [credentials.users.real, credentials.users.effective];
    }
    Ok(())
}

/// Sets the signal; `None`: `SIGIO` without details.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn set_signal(file: &OpenFile, signal: Option<Signal>) -> Result<(), Errno> {
    of(file)?.target.lock().signal = signal;
    Ok(())
}

/// Begins to send signals, which tell that they are about the descriptor `fd`, and sets `O_ASYNC`.
///
/// # Errors
/// Nothing changed. `ENOMEM`.
pub(crate) fn begin(file: &OpenFile, kind: Kind, fd: i32) -> Result<(), Errno> {
    let io = of(file)?;
    io.fd.store(fd, Ordering::Relaxed);
    let mut registration = io.registration.lock();
    if registration.is_none()
        && let Some(pollable) = file.pollable()
    {
        let observer = Watcher::Observer(fallible::shared(Sender { io: io.clone(), kind })?);
        let registered = pollable.register(observer, kind.interest(), WakeMode::All);
        let (token, _) = registered.map_err(|pollee::NoMemory| Errno::ENOMEM)?;
        *registration = Some(token);
    }
    file.update_status(|status| status | OpenFlags::ASYNC);
    Ok(())
}

/// Ends what [`begin`] began. Without that, `O_ASYNC` stays, as on Linux after open(2) with this flag.
pub(crate) fn end(file: &OpenFile) {
    let io = DESCRIPTIONS.lock().get(&file.id()).cloned();
    if io.is_some_and(|io| io.unregister()) {
        file.update_status(|status| status - OpenFlags::ASYNC);
    }
}

/// Returns whether a thread, process, group or session has this ID.
fn is_id(id: u32) -> bool {
    process_table::find_thread(id).is_some()
        || process_table::any(|process| {
            process.pid() == id || process.group() == id || process.session() == id
        })
}

impl Target {
    /// Returns the owner; nobody if that is gone.
    pub(crate) fn owner(&self) -> Owner {
        let Owner { kind, id } = self.owner;
        let exists = match kind {
            OwnerKind::Thread => {
                process_table::find_thread(id).is_some() || process_table::find(id).is_some()
            }
            OwnerKind::Process => process_table::find(id).is_some(),
            OwnerKind::Group => process_table::any(|process| process.group() == id),
        };
        Owner { kind, id: if exists { id } else { 0 } }
    }

    /// Returns whether it was given an owner, who may be gone.
    pub(crate) fn is_owned(&self) -> bool {
        self.owner.id != 0
    }

    /// Returns the users on whose behalf signals are sent.
    pub(crate) const fn users(&self) -> [u32; 2] {
        self.users
    }

    /// Returns the signal.
    pub(crate) const fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// Sends the owner a signal about the descriptor `fd`.
    fn send(&self, reason: Reason, fd: i32) {
        let Owner { kind, id } = self.owner;
        match kind {
            OwnerKind::Group => {
                let _membership = process_table::MEMBERSHIP.lock();
                session::members(id).for_each(|member| self.send_to_process(&member, reason, fd));
            }
            OwnerKind::Process => {
                let of_thread = || process_table::find_thread(id).map(|thread| thread.process().clone());
                if let Some(process) = process_table::find(id).or_else(of_thread) {
                    self.send_to_process(&process, reason, fd);
                }
            }
            OwnerKind::Thread => {
                let Some(thread) = process_table::find_thread(id) else { return };
                if self.may_signal(thread.process()) {
                    let info = self.info(reason, fd, &send::room(thread.process()));
                    send::to_thread(&thread, info);
                }
            }
        }
    }

    fn send_to_process(&self, process: &Arc<Process>, reason: Reason, fd: i32) {
        if self.may_signal(process) {
            let info = self.info(reason, fd, &send::room(process));
            send::to_process(process, info);
        }
    }

    fn may_signal(&self, process: &Process) -> bool {
        process.credentials.lock().may_get_io_signals_of(self.users)
    }

    /// Makes the info; that of `SIGIO` if a real-time signal finds no room.
    fn info(&self, reason: Reason, fd: i32, room: &Room) -> Info {
        let fallback = Info::kernel(Signal::IO);
        let Some(signal) = self.signal else { return fallback };
        let fields = [reason.band().bits().into(), fd.cast_unsigned().into(), 0, 0];
        let info = Info { signal, errno: 0, code: reason.code(signal), fields, timer: None };
        if signal.is_queued() && !Pending::has_room(&info, room) { fallback } else { info }
    }
}

impl SignalIo {
    /// Returns whether there was a registration.
    fn unregister(&self) -> bool {
        let Some(token) = self.registration.lock().take() else { return false };
        let file = self.file.upgrade();
        if let Some(pollable) = file.as_ref().and_then(|file| file.pollable()) {
            drop(pollable.unregister(token));
        }
        true
    }
}

impl ReleaseObserver for SignalIo {
    fn released(&self, description: DescriptionId) {
        self.unregister();
        let _gone = DESCRIPTIONS.lock().remove(&description);
    }
}

impl Observe for Sender {
    fn observe(&self, events: Events, gained: Events) {
        let Some(file) = self.io.file.upgrade() else { return };
        let ready = file.pollable().map_or(Events::empty(), |pollable| pollable.poll(Events::all()));
        drop(file);
        let target = *self.io.target.lock();
        let fd = self.io.fd.load(Ordering::Relaxed);
        for reason in self.kind.reasons(Happened { events, gained, ready }).into_iter().flatten() {
            target.send(reason, fd);
        }
    }
}
