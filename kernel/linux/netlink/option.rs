//! Socket options of the level `SOL_NETLINK`.
//!
//! Missing: `NETLINK_PKTINFO`, `NETLINK_GET_STRICT_CHK`, and options for namespaces and rings.
//! Source: netlink(7); Linux 6.1 net/netlink/af_netlink.c (`netlink_setsockopt`, `netlink_getsockopt`).

use rules::abi::errno::Errno;
use rules::linux::netlink::socket::NetlinkSwitches;
use rules::net::abi::socket::{SOL_NETLINK, netlink};

use super::NetlinkSocket;
use crate::net::option::{OptionInput, OptionOutput};

/// Returns the switch that an option sets.
///
/// # Errors
/// `ENOPROTOOPT`: the option is not a switch.
const fn switch(name: u32) -> Result<NetlinkSwitches, Errno> {
    match name {
        netlink::BROADCAST_ERROR => Ok(NetlinkSwitches::BROADCAST_ERROR),
        netlink::NO_ENOBUFS => Ok(NetlinkSwitches::NO_ENOBUFS),
        netlink::CAP_ACK => Ok(NetlinkSwitches::CAP_ACK),
        netlink::EXT_ACK => Ok(NetlinkSwitches::EXT_ACK),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// Returns an option's value to the program.
///
/// # Errors
/// `ENOPROTOOPT`: no such level or option. `EINVAL`: there is no room for a number.
pub(super) fn get(
    socket: &NetlinkSocket,
    level: u32,
    name: u32,
    output: &OptionOutput<'_>,
) -> Result<(), Errno> {
    if level != SOL_NETLINK {
        return Err(Errno::ENOPROTOOPT);
    }
    let switch = switch(name)?;
    output.require(size_of::<i32>())?;
    output.write_flag(socket.state.read().switches().contains(switch))
}

/// Sets an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such level or option. `EINVAL`: no such group. `EFAULT`: not readable.
pub(super) fn set(
    socket: &NetlinkSocket,
    level: u32,
    name: u32,
    input: &OptionInput<'_>,
) -> Result<(), Errno> {
    if level != SOL_NETLINK {
        return Err(Errno::ENOPROTOOPT);
    }
    // A value that is too short counts as 0.
    let value = if input.len < size_of::<i32>() { 0 } else { input.number()? as u32 };
    let mut state = socket.state.lock();
    match name {
        netlink::ADD_MEMBERSHIP => state.join(value, true),
        netlink::DROP_MEMBERSHIP => state.join(value, false),
        _ => switch(name).map(|switch| state.set_switches(switch, value != 0)),
    }
}
