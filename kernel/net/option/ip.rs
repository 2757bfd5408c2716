//! The options of the level `IPPROTO_IP`.
//!
//! They are told as they were set. What the headers of packets say of priorities and the like changes nothing here, and
//! nothing travels beside a datagram.
//! Source: ip(7); Linux 6.1 net/ipv4/ip_sockglue.c (`do_ip_setsockopt`, `do_ip_getsockopt`).

use core::ops::RangeInclusive;

use rules::abi::errno::Errno;
use rules::net::abi::socket::{ip, kind};
use rules::net::socket::{DEFAULT_TTL, Switches};

use super::{Answer, Given};
use crate::linux::syscall::context::SysResult;
use crate::net::interface;
use crate::net::socket::{Address, Socket};

/// The numbers of the options, up to `IP_BIND_ADDRESS_NO_PORT` and from `IP_MULTICAST_IF` on.
const OPTIONS: [RangeInclusive<u32>; 2] = [1..=26, 32..=51];

/// `IP_PMTUDISC_DONT` to `IP_PMTUDISC_OMIT`.
const DISCOVERIES: RangeInclusive<i32> = 0..=5;

/// The bits of a `IP_TOS` that are not the program's to say of a stream.
const CONGESTION: u8 = 3;

const fn switch(name: u32) -> Option<Switches> {
    match name {
        ip::PKTINFO => Some(Switches::PACKET_INFO),
        ip::RECVERR => Some(Switches::RECEIVE_ERRORS),
        ip::RECVTTL => Some(Switches::RECEIVE_TTL),
        ip::RECVTOS => Some(Switches::RECEIVE_TOS),
        ip::FREEBIND => Some(Switches::FREE_BIND),
        ip::BIND_ADDRESS_NO_PORT => Some(Switches::BIND_WITHOUT_PORT),
        _ => None,
    }
}

/// Tells an option's value.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `ENOTCONN`: the length of packets, of a socket without a way.
pub(super) fn get(socket: &dyn Socket, name: u32, answer: &Answer<'_, '_>) -> SysResult {
    let options = socket.options();
    match name {
        _ if let Some(switch) = switch(name) => answer.write_flag(options.switches.contains(switch)),
        ip::TOS => answer.write(i32::from(options.tos)),
        ip::TTL => answer.write(i32::from(options.ttl)),
        ip::MTU_DISCOVER => answer.write(i32::from(options.mtu_discovery)),
        ip::MTU => match socket.peer() {
            Ok(Address::Inet(peer)) => answer.write(interface::mtu_to(*peer.ip()).ok_or(Errno::ENOTCONN)?),
            _ => Err(Errno::ENOTCONN),
        },
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// Changes an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: too short, or no value for it. `EFAULT`: not readable.
pub(super) fn set(socket: &dyn Socket, name: u32, given: &Given<'_, '_>) -> Result<(), Errno> {
    if !OPTIONS.iter().any(|names| names.contains(&name)) {
        return Err(Errno::ENOPROTOOPT);
    }
    let number = given.small_number()?;
    match name {
        _ if let Some(switch) = switch(name) => {
            socket.update_options(&mut |options| options.switches.set(switch, number != 0));
        }
        ip::TOS => {
            let is_stream = socket.nature().kind == kind::SOCK_STREAM;
            let tos = if is_stream { number as u8 & !CONGESTION } else { number as u8 };
            socket.update_options(&mut |options| options.tos = tos);
        }
        ip::TTL => {
            let ttl = match number {
                -1 => DEFAULT_TTL,
                _ => u8::try_from(number).ok().filter(|ttl| *ttl > 0).ok_or(Errno::EINVAL)?,
            };
            socket.update_options(&mut |options| options.ttl = ttl);
        }
        ip::MTU_DISCOVER => {
            if !DISCOVERIES.contains(&number) {
                return Err(Errno::EINVAL);
            }
            socket.update_options(&mut |options| options.mtu_discovery = number as u8);
        }
        _ => {}
    }
    Ok(())
}
