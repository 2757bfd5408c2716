//! The constants of the socket calls.
//!
//! Source: socket(2), socket(7), ip(7), tcp(7); Linux 6.1 include/linux/socket.h, include/uapi/asm-generic/socket.h,
//! include/uapi/linux/{in,tcp}.h.

mod structures;

use bitflags::bitflags;

pub use self::structures::{Linger, MessageHeader, SockAddrIn, SockAddrNl, TcpInfo, Ucred};
use crate::abi::errno::Errno;
use crate::abi::open::OpenFlags;

/// Address families.
pub mod family {
    /// No address at all: connect(2) uses it to undo a connection.
    pub const AF_UNSPEC: u16 = 0;
    /// Local sockets.
    pub const AF_UNIX: u16 = 1;
    /// IPv4.
    pub const AF_INET: u16 = 2;
    /// Netlink.
    pub const AF_NETLINK: u16 = 16;
    /// One more than the largest family.
    pub const AF_MAX: u32 = 46;
}

/// Types of sockets.
pub mod kind {
    /// A stream of bytes.
    pub const SOCK_STREAM: u32 = 1;
    /// Messages.
    pub const SOCK_DGRAM: u32 = 2;
    /// Packets with all headers.
    pub const SOCK_RAW: u32 = 3;
    /// Messages of a connection, in order.
    pub const SOCK_SEQPACKET: u32 = 5;
    /// One more than the largest type.
    pub const SOCK_MAX: u32 = 11;
    /// The bits of socket(2)'s second argument that are the type.
    pub const SOCK_TYPE_MASK: u32 = 0xf;
}

/// TCP, as a protocol of socket(2) and as a level of options.
pub const IPPROTO_TCP: u32 = 6;
/// UDP.
pub const IPPROTO_UDP: u32 = 17;
/// Options of every socket.
pub const SOL_SOCKET: u32 = 1;
/// Options of the internet protocol.
pub const IPPROTO_IP: u32 = 0;
/// Options of netlink.
pub const SOL_NETLINK: u32 = 270;
/// The netlink protocol for interfaces, addresses and routes.
pub const NETLINK_ROUTE: u32 = 0;

/// Options of the level [`SOL_SOCKET`].
#[expect(missing_docs, reason = "the names of socket(7)")]
pub mod so {
    pub const DEBUG: u32 = 1;
    pub const REUSEADDR: u32 = 2;
    pub const TYPE: u32 = 3;
    pub const ERROR: u32 = 4;
    pub const DONTROUTE: u32 = 5;
    pub const BROADCAST: u32 = 6;
    pub const SNDBUF: u32 = 7;
    pub const RCVBUF: u32 = 8;
    pub const KEEPALIVE: u32 = 9;
    pub const OOBINLINE: u32 = 10;
    pub const PRIORITY: u32 = 12;
    pub const LINGER: u32 = 13;
    pub const REUSEPORT: u32 = 15;
    pub const PASSCRED: u32 = 16;
    pub const PEERCRED: u32 = 17;
    pub const RCVLOWAT: u32 = 18;
    pub const SNDLOWAT: u32 = 19;
    pub const RCVTIMEO: u32 = 20;
    pub const SNDTIMEO: u32 = 21;
    pub const ACCEPTCONN: u32 = 30;
    pub const PROTOCOL: u32 = 38;
    pub const DOMAIN: u32 = 39;
}

/// Options of the level [`IPPROTO_TCP`].
#[expect(missing_docs, reason = "the names of tcp(7)")]
pub mod tcp {
    pub const NODELAY: u32 = 1;
    pub const MAXSEG: u32 = 2;
    pub const CORK: u32 = 3;
    pub const KEEPIDLE: u32 = 4;
    pub const KEEPINTVL: u32 = 5;
    pub const KEEPCNT: u32 = 6;
    pub const SYNCNT: u32 = 7;
    pub const LINGER2: u32 = 8;
    pub const DEFER_ACCEPT: u32 = 9;
    pub const WINDOW_CLAMP: u32 = 10;
    pub const INFO: u32 = 11;
    pub const QUICKACK: u32 = 12;
    pub const CONGESTION: u32 = 13;
    pub const USER_TIMEOUT: u32 = 18;
    pub const FASTOPEN: u32 = 23;
}

/// Options of the level [`IPPROTO_IP`].
#[expect(missing_docs, reason = "the names of ip(7)")]
pub mod ip {
    pub const TOS: u32 = 1;
    pub const TTL: u32 = 2;
    pub const PKTINFO: u32 = 8;
    pub const MTU_DISCOVER: u32 = 10;
    pub const RECVERR: u32 = 11;
    pub const RECVTTL: u32 = 12;
    pub const RECVTOS: u32 = 13;
    pub const MTU: u32 = 14;
    pub const FREEBIND: u32 = 15;
    pub const BIND_ADDRESS_NO_PORT: u32 = 24;
}

/// Options of the level [`SOL_NETLINK`].
#[expect(missing_docs, reason = "the names of netlink(7)")]
pub mod netlink {
    pub const ADD_MEMBERSHIP: u32 = 1;
    pub const DROP_MEMBERSHIP: u32 = 2;
    pub const BROADCAST_ERROR: u32 = 4;
    pub const NO_ENOBUFS: u32 = 5;
    pub const CAP_ACK: u32 = 10;
    pub const EXT_ACK: u32 = 11;
}

bitflags! {
    /// The flags of socket(2), in its second argument, and of accept4(2).
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct SocketFlags: u32 {
        /// `SOCK_NONBLOCK`.
        const NONBLOCK = OpenFlags::NONBLOCK.bits();
        /// `SOCK_CLOEXEC`.
        const CLOSE_ON_EXEC = OpenFlags::CLOSE_ON_EXEC.bits();
    }
}

bitflags! {
    /// The flags of send(2) and recv(2) that have a meaning here. Linux ignores unknown ones.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct MessageFlags: u32 {
        /// `MSG_OOB`: urgent data.
        const OUT_OF_BAND = 1;
        /// `MSG_PEEK`: the bytes stay in the queue.
        const PEEK = 2;
        /// `MSG_CTRUNC`: ancillary data was lost.
        const CONTROL_TRUNCATED = 8;
        /// `MSG_TRUNC`: the bytes are dropped.
        const TRUNCATE = 0x20;
        /// `MSG_DONTWAIT`: do not block.
        const DONT_WAIT = 0x40;
        /// `MSG_WAITALL`: wait until the buffer is full.
        const WAIT_ALL = 0x100;
        /// `MSG_ERRQUEUE`: read the error queue.
        const ERROR_QUEUE = 0x2000;
        /// `MSG_NOSIGNAL`: no SIGPIPE.
        const NO_SIGNAL = 0x4000;
        /// `MSG_MORE`: more data will follow at once.
        const MORE = 0x8000;
        /// `MSG_WAITFORONE`: recvmmsg(2) waits for the first message alone.
        const WAIT_FOR_ONE = 0x1_0000;
        /// `MSG_CMSG_CLOEXEC`: execve(2) closes received descriptors.
        const CONTROL_CLOSE_ON_EXEC = 0x4000_0000;
    }
}

/// The directions that shutdown(2) ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// `SHUT_RD`.
    Read,
    /// `SHUT_WR`.
    Write,
    /// `SHUT_RDWR`.
    Both,
}

impl How {
    /// Parses shutdown(2)'s argument.
    ///
    /// # Errors
    /// `EINVAL`: it is none of the three.
    pub const fn parse(how: u32) -> Result<Self, Errno> {
        match how {
            0 => Ok(Self::Read),
            1 => Ok(Self::Write),
            2 => Ok(Self::Both),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Returns whether reading ends.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Both)
    }

    /// Returns whether writing ends.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Both)
    }
}
