//! Job control requests of ioctl(2): tcgetpgrp(3), tcsetpgrp(3), tcgetsid(3).
//!
//! Source: ioctl_tty(2); Linux 6.1 drivers/tty/tty_jobctrl.c (`tiocsctty`, `tiocspgrp`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::linux::abi::termios::{TIOCGPGRP, TIOCGSID, TIOCNOTTY, TIOCSCTTY, TIOCSPGRP};
use rules::linux::capability::Capability;

use super::super::context::{Caller, Context, SysResult};
use super::pty::TerminalEnd;
use crate::linux::task::{process_table, session};
use crate::linux::terminal::Terminal;
use crate::linux::terminal::control::{self, RestrictedUse, TerminalOwner};
use crate::linux::terminal::session as terminals;
use crate::machine::memory::user::UserPtr;

/// Returns whether `request` is one of them.
pub(super) const fn is_one(request: u32) -> bool {
    matches!(request, TIOCGPGRP | TIOCGSID | TIOCNOTTY | TIOCSCTTY | TIOCSPGRP)
}

/// Performs `request` on `terminal`.
///
/// # Errors
/// `ENOTTY`: not the caller's controlling terminal. `EPERM`: the caller is not a session leader, or the terminal or
/// group belongs to another session. `ESRCH`: no such group. `EINVAL`: an invalid group ID. `EFAULT`. `EINTR`: the
/// caller is in the background.
pub(super) fn serve(
    cx: &Context<'_>,
    terminal: &Arc<Terminal>,
    end: TerminalEnd,
    request: u32,
    argument: usize,
) -> SysResult {
    let process = cx.process();
    let owner = terminal.owner();
    if request == TIOCSCTTY {
        return acquire(cx, terminal, owner, argument);
    }
    let asks = matches!(request, TIOCGPGRP | TIOCGSID);
    let may_ask = asks && end == TerminalEnd::Master && (owner.session != 0 || request == TIOCGPGRP);
    let is_own = owner.session != 0 && owner.session == process.session();
    if !may_ask && !(is_own && (asks || end == TerminalEnd::Terminal || request == TIOCSPGRP)) {
        return Err(Errno::ENOTTY);
    }
    match request {
        TIOCGPGRP => UserPtr::<u32>::new(cx.space(), argument).write(&owner.foreground)?,
        TIOCGSID => UserPtr::<u32>::new(cx.space(), argument).write(&owner.session)?,
        TIOCNOTTY => {
            // Only a leader gives up the session's terminal; for others this has no effect.
            if process.session() == process.pid() {
                terminals::disconnect(process.pid());
            }
        }
        _ => {
            // As in Linux's `tiocspgrp`, a process of an orphaned group gets `ENOTTY`.
            control::admit(owner, RestrictedUse::Change).map_err(|error| match error {
                Errno::EIO => Errno::ENOTTY,
                error => error,
            })?;
            let group = UserPtr::<i32>::new(cx.space(), argument).read()?;
            let group = u32::try_from(group).map_err(|_| Errno::EINVAL)?;
            if !session::has_group(owner.session, group) {
                let exists = process_table::any(|other| other.group() == group);
                return Err(if exists { Errno::EPERM } else { Errno::ESRCH });
            }
            terminal.set_owner(TerminalOwner { foreground: group, ..owner });
        }
    }
    Ok(0)
}

/// Makes it the controlling terminal of the caller's session; with `argument` 1, root takes it from another session.
fn acquire(cx: &Context<'_>, terminal: &Arc<Terminal>, owner: TerminalOwner, argument: usize) -> SysResult {
    let process = cx.process();
    let is_leader = process.session() == process.pid();
    if is_leader && owner.session == process.pid() {
        return Ok(0);
    }
    if !is_leader || terminals::terminal(process.session()).is_some() {
        return Err(Errno::EPERM);
    }
    if owner.session != 0 {
        if argument != 1 || !process.credentials.lock().can(Capability::SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        terminals::forget(owner.session);
    }
    terminals::connect(process, terminal.clone());
    Ok(0)
}
