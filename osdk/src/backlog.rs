//! How many connections to a forwarded port may wait until QEMU takes them.
//!
//! QEMU's user network lets one wait; the host drops who comes next, and tries again for them after one, three and seven
//! seconds. To call listen(2) once more on QEMU's sockets makes room. Where that is refused, as in a container that
//! allows no look at other processes, a crowd arrives more slowly.
//! Why: decision 0076.
//! Source: pidfd_getfd(2), listen(2).

use std::{fs, os::fd::AsFd};

use rustix::{
    net,
    process::{self, Pid, PidfdFlags, PidfdGetfdFlags},
};

/// How many may wait then.
const ROOM: i32 = 128;

/// Makes room at all doors of this process; how many there are.
pub(crate) fn widen(process: u32) -> usize {
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return 0 };
    let Ok(door) = process::pidfd_open(pid, PidfdFlags::empty()) else { return 0 };
    let Ok(all) = fs::read_dir(format!("/proc/{process}/fd")) else { return 0 };
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| widen_one(door.as_fd(), number).is_some()).count()
}

/// Nothing if this descriptor is no listening socket.
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
            // No looks are allowed here.
            return Ok(());
        }
        let (door, other) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        assert!(widen_one(&ourselves, door.as_raw_fd()).is_some());
        assert!(widen_one(&ourselves, other.as_raw_fd()).is_none());
        assert!(widen(std::process::id()) >= 1);
        Ok(())
    }
}
