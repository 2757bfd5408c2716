//! The options of the level `IPPROTO_IP`.
//!
//! They read back as they were set, and have no effect: no queue looks at priorities, and datagrams carry no control
//! messages.
//! Source: ip(7); Linux 6.1 net/ipv4/ip_sockglue.c (`do_ip_setsockopt`, `do_ip_getsockopt`).

use core::ops::RangeInclusive;

use rules::abi::errno::Errno;
use rules::net::abi::socket::{ip, kind};
use rules::net::socket::{DEFAULT_TTL, Switches};

use super::{Number, OptionInput, OptionOutput};
use crate::net::address::Address;
use crate::net::interface;
use crate::net::socket::Socket;

/// The numbers of the options, up to `IP_BIND_ADDRESS_NO_PORT` and from `IP_MULTICAST_IF` on.
const OPTIONS: [RangeInclusive<u32>; 2] = [1..=26, 32..=51];

/// `IP_PMTUDISC_DONT` to `IP_PMTUDISC_OMIT`.
const DISCOVERIES: RangeInclusive<i32> = 0..=5;

/// The bits of `IP_TOS` that a program cannot set on a stream: ECN.
const CONGESTION: i32 = 3;

fn number(name: u32) -> Option<Number> {
    Some(match name {
        ip::TOS => Number::Byte(i32::MIN..=i32::MAX, |options| &mut options.tos),
        ip::TTL => Number::Byte(1..=255, |options| &mut options.ttl),
        ip::MTU_DISCOVER => Number::Byte(DISCOVERIES, |options| &mut options.mtu_discovery),
        ip::PKTINFO => Number::Switch(Switches::PACKET_INFO),
        ip::RECVERR => Number::Switch(Switches::RECEIVE_ERRORS),
        ip::RECVTTL => Number::Switch(Switches::RECEIVE_TTL),
        ip::RECVTOS => Number::Switch(Switches::RECEIVE_TOS),
        ip::FREEBIND => Number::Switch(Switches::FREE_BIND),
        ip::BIND_ADDRESS_NO_PORT => Number::Switch(Switches::BIND_WITHOUT_PORT),
        _ => return None,
    })
}

/// Writes the value of an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `ENOTCONN`: the MTU of a socket without a route.
pub(in crate::net) fn get(socket: &dyn Socket, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
    if name == ip::MTU {
        return match socket.peer() {
            Ok(Address::Inet(peer)) => output.write(interface::mtu_to(*peer.ip()).ok_or(Errno::ENOTCONN)?),
            _ => Err(Errno::ENOTCONN),
        };
    }
    output.write(number(name).ok_or(Errno::ENOPROTOOPT)?.get(&mut socket.state().options()))
}

/// Sets an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. Nothing changed. `EINVAL`: too short, or not allowed. `EFAULT`: not readable.
pub(in crate::net) fn set(socket: &dyn Socket, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
    if !OPTIONS.iter().any(|names| names.contains(&name)) {
        return Err(Errno::ENOPROTOOPT);
    }
    let value = match input.small_number()? {
        value if name == ip::TOS && socket.socket_type().kind == kind::SOCK_STREAM => value & !CONGESTION,
        -1 if name == ip::TTL => DEFAULT_TTL.into(),
        value => value,
    };
    // Other options of the level have no effect.
    number(name).map_or(Ok(()), |option| option.change(socket, value))
}
