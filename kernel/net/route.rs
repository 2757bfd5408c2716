//! Which link leads to an address.

use core::net::Ipv4Addr;

use rules::abi::errno::Errno;
use rules::net::tcp::segment;

use super::link::Link;
use super::{ethernet, loopback};

/// The first step of a packet's way.
pub(super) struct Step {
    /// Over this link…
    pub(super) link: &'static dyn Link,
    /// …to this neighbour.
    pub(super) next_hop: Ipv4Addr,
}

/// The way to `destination`.
///
/// # Errors
/// `ENETUNREACH`: there is none.
pub(super) fn to(destination: Ipv4Addr) -> Result<Step, Errno> {
    if is_local(destination) {
        return Ok(Step { link: loopback::link(), next_hop: destination });
    }
    let ethernet = ethernet::get().ok_or(Errno::ENETUNREACH)?;
    let next_hop = ethernet.network().next_hop(destination).ok_or(Errno::ENETUNREACH)?;
    Ok(Step { link: ethernet, next_hop })
}

/// The address that a connection to `destination` comes from.
///
/// # Errors
/// `ENETUNREACH`: there is no way, or it is no address of one host.
pub(super) fn source_for(destination: Ipv4Addr) -> Result<Ipv4Addr, Errno> {
    if !segment::is_unicast(destination) {
        return Err(Errno::ENETUNREACH);
    }
    if is_own(destination) {
        return Ok(destination);
    }
    Ok(to(destination)?.link.address())
}

/// Whether packets from `source` may go to `destination`: those from the loopback leave no machine.
///
/// # Errors
/// `EINVAL`: they may not (`__mkroute_output`).
pub(super) fn check(source: Ipv4Addr, destination: Ipv4Addr) -> Result<(), Errno> {
    if source.is_loopback() && !is_local(destination) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Whether `address` is one of this machine.
pub(super) fn is_local(address: Ipv4Addr) -> bool {
    (address.is_loopback() && segment::is_unicast(address)) || is_own(address)
}

/// Whether `address` is that of a link to others.
fn is_own(address: Ipv4Addr) -> bool {
    ethernet::get().is_some_and(|ethernet| ethernet.network().address == address)
}
