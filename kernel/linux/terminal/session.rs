//! Controlling terminals of sessions.
//!
//! Owns: the controlling terminal of each session, and the foreground groups of terminals that hung up.   Not here:
//! the members of sessions (`task/session`), job control (`terminal/control`).
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

/// Returns the controlling terminal of a session.
pub(crate) fn terminal(session: u32) -> Option<Arc<Terminal>> {
    TERMINALS.lock().get(&session).cloned()
}

/// Returns the caller's controlling terminal, which `/dev/tty` opens.
pub(crate) fn own_terminal() -> Option<Arc<Terminal>> {
    thread::current().and_then(|thread| terminal(thread.process().session()))
}

/// Makes `terminal` the controlling terminal of the session that `leader` leads, with its group in the foreground.
pub(crate) fn connect(leader: &Process, terminal: Arc<Terminal>) {
    terminal.set_owner(TerminalOwner { session: leader.session(), foreground: leader.group() });
    TERMINALS.lock().insert(leader.session(), terminal);
}

/// Makes a terminal without a session the controlling terminal of a session leader that opens it and has none.
pub(crate) fn connect_at_open(terminal: &Arc<Terminal>) {
    let Some(thread) = thread::current() else { return };
    let process = thread.process();
    let leads = process.session() == process.pid() && !process.is_init();
    if leads && terminal.owner().session == 0 && self::terminal(process.session()).is_none() {
        connect(process, terminal.clone());
    }
}

/// Forgets the session's terminal, which another session has taken.
pub(crate) fn forget(session: u32) {
    let _terminal = TERMINALS.lock().remove(&session);
}

/// Takes the controlling terminal from a session and sends `SIGHUP` to the foreground group.
pub(crate) fn disconnect(session: u32) {
    let terminal = TERMINALS.lock().remove(&session);
    let Some(terminal) = terminal else { return };
    let foreground = terminal.owner().foreground;
    terminal.set_owner(TerminalOwner::default());
    if foreground != 0 {
        session::hang_up(foreground);
    }
}

/// Foreground groups of terminals that hung up, by session: they get `SIGHUP` when their leader ends.
static LEFT_BEHIND: SpinLock<BTreeMap<u32, u32>> = SpinLock::new(BTreeMap::new());

/// Hangs up a session whose terminal is gone: its leader now, the foreground group when the leader ends.
pub(super) fn hang_up(owner: TerminalOwner) {
    if owner.session == 0 {
        return;
    }
    forget(owner.session);
    let Some(leader) = process_table::find(owner.session) else { return };
    LEFT_BEHIND.lock().insert(owner.session, owner.foreground);
    session::hang_up_process(&leader);
}

/// Notes the end of a process: if it leads a session, the session loses its terminal.
pub(crate) fn leave(process: &Process) {
    if process.session() == process.pid() {
        disconnect(process.pid());
        let left_behind = LEFT_BEHIND.lock().remove(&process.pid());
        if let Some(foreground) = left_behind {
            session::hang_up(foreground);
        }
    }
}
