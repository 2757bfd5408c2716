//! Raises the number of connections to a forwarded port that may wait until QEMU accepts them.
//!
//! QEMU's user network lets one wait. The host drops the next ones, and their kernel retries after one, three and seven
//! seconds. A second listen(2) on QEMU's sockets makes room. Where the host refuses that, as in a container without
//! access to other processes, a crowd arrives more slowly.
//! Why: decision 0076.
//! Source: pidfd_getfd(2), listen(2).

use std::{fs, os::fd::AsFd};

use rustix::{
    net,
    process::{self, Pid, PidfdFlags, PidfdGetfdFlags},
};

/// The backlog that this sets.
const ROOM: i32 = 128;

/// Raises the backlog of all listening sockets of this process, and returns their number.
pub(crate) fn widen(process: u32) -> usize {
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return 0 };
    let Ok(door) = process::pidfd_open(pid, PidfdFlags::empty()) else { return 0 };
    let Ok(all) = fs::read_dir(format!("/proc/{process}/fd")) else { return 0 };
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| widen_one(door.as_fd(), number).is_some()).count()
}

/// Raises the backlog of this descriptor's socket. Does nothing if it does not listen.
fn widen_one(process: impl AsFd, number: i32) -> Option<()> {
    let fd = process::pidfd_getfd(process, number, PidfdGetfdFlags::empty()).ok()?;
    net::sockopt::socket_acceptconn(&fd).ok().filter(|&listens| listens)?;
    net::listen(&fd, ROOM).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        os::fd::AsRawFd,
    };

    use super::*;

    #[test]
    fn sockets_that_listen_get_room_and_others_are_left_alone() -> std::io::Result<()> {
        let ourselves = process::pidfd_open(process::getpid(), PidfdFlags::empty())?;
        if process::pidfd_getfd(&ourselves, 0, PidfdGetfdFlags::empty()).is_err() {
            // The host does not allow pidfd_getfd(2) here.
            return Ok(());
        }
        let (door, other) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        assert!(widen_one(&ourselves, door.as_raw_fd()).is_some());
        assert!(widen_one(&ourselves, other.as_raw_fd()).is_none());
        assert!(widen(std::process::id()) >= 1);
        Ok(())
    }
}
