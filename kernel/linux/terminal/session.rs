//! The controlling terminals: which session has which.
//!
//! Owns: the terminal of each session, and whom a terminal that is gone leaves behind.   Not here: who is in which
//! session (`task/session`), what the owner may do (`terminal/control`).
//! Locks: both tables are leaves.
//! Source: credentials(7), ioctl_tty(2); Linux 6.1 drivers/tty/tty_jobctrl.c (`disassociate_ctty`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use ostd::sync::SpinLock;

use super::Terminal;
use super::control::TerminalOwner;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::{session, thread};

/// The controlling terminals, by session.
static TERMINALS: SpinLock<BTreeMap<u32, Arc<Terminal>>> = SpinLock::new(BTreeMap::new());

/// The controlling terminal of a session.
pub(crate) fn terminal(session: u32) -> Option<Arc<Terminal>> {
    TERMINALS.lock().get(&session).cloned()
}

/// The controlling terminal of the caller, which `/dev/tty` opens.
pub(crate) fn own_terminal() -> Option<Arc<Terminal>> {
    thread::current().and_then(|thread| terminal(thread.process().session()))
}

/// Gives `terminal` to the session that `leader` leads, and puts its group into the foreground.
pub(crate) fn connect(leader: &Process, terminal: Arc<Terminal>) {
    terminal.set_owner(TerminalOwner { session: leader.session(), foreground: leader.group() });
    TERMINALS.lock().insert(leader.session(), terminal);
}

/// A leader without a terminal opens one that is nobody's: it becomes the session's.
pub(crate) fn connect_at_open(terminal: &Arc<Terminal>) {
    let Some(thread) = thread::current() else { return };
    let process = thread.process();
    let leads = process.session() == process.pid() && !process.is_init();
    if leads && terminal.owner().session == 0 && self::terminal(process.session()).is_none() {
        connect(process, terminal.clone());
    }
}

/// Another session has taken the terminal.
pub(crate) fn forget(session: u32) {
    let _terminal = TERMINALS.lock().remove(&session);
}

/// Takes the terminal from a session, whose processes in the foreground hang up.
pub(crate) fn disconnect(session: u32) {
    let terminal = TERMINALS.lock().remove(&session);
    let Some(terminal) = terminal else { return };
    let foreground = terminal.owner().foreground;
    terminal.set_owner(TerminalOwner::default());
    if foreground != 0 {
        session::hang_up(foreground);
    }
}

/// The processes that were in the foreground of a terminal that is gone, by session: they hang up with their leader.
static LEFT_BEHIND: SpinLock<BTreeMap<u32, u32>> = SpinLock::new(BTreeMap::new());

/// A session's terminal is gone for good: its leader hears of it, the others when the leader ends.
pub(super) fn hang_up(owner: TerminalOwner) {
    if owner.session == 0 {
        return;
    }
    forget(owner.session);
    let Some(leader) = process_table::find(owner.session) else { return };
    LEFT_BEHIND.lock().insert(owner.session, owner.foreground);
    session::hang_up_process(&leader);
}

/// The end of a process: a leader's session loses its terminal, and has nobody any more who does job control.
pub(crate) fn leave(process: &Process) {
    if process.session() == process.pid() {
        disconnect(process.pid());
        let left_behind = LEFT_BEHIND.lock().remove(&process.pid());
        if let Some(foreground) = left_behind {
            session::hang_up(foreground);
        }
    }
}
