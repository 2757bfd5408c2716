//! The structures that socket calls exchange with programs.
//!
//! Source: ip(7), netlink(7), socket(7), unix(7), tcp(7), recvmsg(2); Linux 6.1 include/uapi/linux/tcp.h.

use core::net::{Ipv4Addr, SocketAddrV4};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::family;
use crate::abi::errno::Errno;

/// `struct sockaddr_in`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct SockAddrIn {
    /// [`family::AF_INET`].
    pub family: u16,
    /// In network order.
    pub port: [u8; 2],
    /// In network order.
    pub address: [u8; 4],
    /// Nothing.
    pub zero: [u8; 8],
}

impl SockAddrIn {
    /// Returns the address as Rust has it.
    #[must_use]
    pub const fn address(&self) -> SocketAddrV4 {
        let [a, b, c, d] = self.address;
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes(self.port))
    }
}

impl From<SocketAddrV4> for SockAddrIn {
    fn from(address: SocketAddrV4) -> Self {
        Self {
            family: family::AF_INET,
            port: address.port().to_be_bytes(),
            address: address.ip().octets(),
            zero: [0; 8],
        }
    }
}

/// `struct sockaddr_nl`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct SockAddrNl {
    /// [`family::AF_NETLINK`].
    pub family: u16,
    /// Nothing.
    pub padding: u16,
    /// The number of a socket; 0 is the kernel.
    pub port: u32,
    /// A bit for each of the first 32 groups.
    pub groups: u32,
}

impl SockAddrNl {
    /// Returns the address of a socket, or of groups.
    #[must_use]
    pub const fn new(port: u32, groups: u32) -> Self {
        Self { family: family::AF_NETLINK, padding: 0, port, groups }
    }
}

/// `struct linger`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct Linger {
    /// Whether close(2) waits.
    pub on: i32,
    /// For how long.
    pub seconds: i32,
}

/// `struct ucred`.
#[derive(Clone, Copy, Debug, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct Ucred {
    /// The process; 0 is none.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Ucred {
    /// No process: Linux reports this for a socket without a peer.
    pub const NOBODY: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };
}

/// `struct tcp_info`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[expect(missing_docs, reason = "the names of include/uapi/linux/tcp.h")]
#[repr(C)]
pub struct TcpInfo {
    pub state: u8,
    pub ca_state: u8,
    pub retransmits: u8,
    pub probes: u8,
    pub backoff: u8,
    pub options: u8,
    pub window_scales: u8,
    pub limited: u8,
    pub rto: u32,
    pub ato: u32,
    pub snd_mss: u32,
    pub rcv_mss: u32,
    pub unacked: u32,
    pub sacked: u32,
    pub lost: u32,
    pub retrans: u32,
    pub fackets: u32,
    pub last_data_sent: u32,
    pub last_ack_sent: u32,
    pub last_data_recv: u32,
    pub last_ack_recv: u32,
    pub pmtu: u32,
    pub rcv_ssthresh: u32,
    pub rtt: u32,
    pub rttvar: u32,
    pub snd_ssthresh: u32,
    pub snd_cwnd: u32,
    pub advmss: u32,
    pub reordering: u32,
    pub rcv_rtt: u32,
    pub rcv_space: u32,
    pub total_retrans: u32,
    pub pacing_rate: u64,
    pub max_pacing_rate: u64,
    pub bytes_acked: u64,
    pub bytes_received: u64,
    pub segs_out: u32,
    pub segs_in: u32,
    pub notsent_bytes: u32,
    pub min_rtt: u32,
    pub data_segs_in: u32,
    pub data_segs_out: u32,
    pub delivery_rate: u64,
    pub busy_time: u64,
    pub rwnd_limited: u64,
    pub sndbuf_limited: u64,
    pub delivered: u32,
    pub delivered_ce: u32,
    pub bytes_sent: u64,
    pub bytes_retrans: u64,
    pub dsack_dups: u32,
    pub reord_seen: u32,
    pub rcv_ooopack: u32,
    pub snd_wnd: u32,
}

const _: () = assert!(size_of::<TcpInfo>() == 232, "as in Linux 6.1");

/// `struct msghdr`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct MessageHeader {
    /// Where the address is.
    pub name: u64,
    /// How long it is.
    pub name_len: u32,
    /// Nothing.
    pub padding: u32,
    /// Where the `struct iovec`s are.
    pub iov: u64,
    /// How many.
    pub iov_count: u64,
    /// Where ancillary data is.
    pub control: u64,
    /// How long it is.
    pub control_len: u64,
    /// What recvmsg(2) says of the message.
    pub flags: u32,
    /// Nothing.
    pub trailing: u32,
}

impl MessageHeader {
    /// `UIO_MAXIOV`.
    const BUFFERS_MAX: u64 = 1024;

    /// Returns where the descriptions of its buffers are, and how many.
    ///
    /// # Errors
    /// `EMSGSIZE`: too many.
    pub const fn buffers(&self) -> Result<(usize, usize), Errno> {
        if self.iov_count > Self::BUFFERS_MAX {
            return Err(Errno::EMSGSIZE);
        }
        Ok((self.iov as usize, self.iov_count as usize))
    }
}
