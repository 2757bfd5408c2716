//! Terminal requests of ioctl(2).
//!
//! Not here: those of sessions and process groups (syscall/ioctl/job).   Missing: modem lines, breaks.
//! Source: ioctl_tty(2); Linux 6.1 drivers/tty/tty_ioctl.c, tty_io.c, tty_jobctrl.c.

use core::task::Poll;

use rules::abi::errno::Errno;
use rules::linux::abi::termios::{
    TCFLSH, TCGETS, TCSBRK, TCSETS, TCSETSF, TCSETSW, TIOCGWINSZ, TIOCOUTQ, TIOCSWINSZ,
};
use rules::linux::tty::Flush;

use super::Terminal;
use super::control::RestrictedUse;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// Serves `request`; `Pending` while it waits for output to leave.
///
/// # Errors
/// `ENOTTY`: no such request. `EINTR`, `EIO`: the caller is in the background. `EFAULT`: `argument` is not accessible.
/// `EINVAL`: the argument is invalid.
pub(super) fn serve(
    terminal: &Terminal,
    request: u32,
    argument: usize,
    space: &AddressSpace,
) -> Poll<Result<usize, Errno>> {
    if matches!(request, TCSETS | TCSETSW | TCSETSF | TCSBRK | TCFLSH)
        && let Err(errno) = terminal.admit(RestrictedUse::Change)
    {
        return Poll::Ready(Err(errno));
    }
    let waits = matches!(request, TCSETSW | TCSETSF | TCSBRK);
    if waits && terminal.drain().is_pending() {
        return Poll::Pending;
    }
    Poll::Ready(serve_drained(terminal, request, argument, space).map(|()| 0))
}

fn serve_drained(
    terminal: &Terminal,
    request: u32,
    argument: usize,
    space: &AddressSpace,
) -> Result<(), Errno> {
    match request {
        TCGETS => UserPtr::new(space, argument).write(&terminal.settings()),
        TCSETS | TCSETSW | TCSETSF => {
            let settings = UserPtr::new(space, argument).read()?;
            if request == TCSETSF {
                terminal.flush(Flush::Input);
            }
            terminal.set(settings);
            Ok(())
        }
        // The wire cannot send a break, so this only drains the output.
        TCSBRK => Ok(()),
        TCFLSH => {
            terminal.flush(Flush::parse(argument)?);
            Ok(())
        }
        TIOCOUTQ => UserPtr::new(space, argument).write(&terminal.unsent_bytes()),
        TIOCGWINSZ => UserPtr::new(space, argument).write(&terminal.window()),
        TIOCSWINSZ => {
            terminal.set_window(UserPtr::new(space, argument).read()?);
            Ok(())
        }
        _ => Err(Errno::ENOTTY),
    }
}
