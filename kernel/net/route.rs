//! Routing: which link leads to an address.

use core::net::Ipv4Addr;

use rules::abi::errno::Errno;
use rules::net::tcp::segment;

use super::link::Link;
use super::{ethernet, loopback};

/// The first hop of a packet.
pub(super) struct Step {
    /// The link that it goes over.
    pub(super) link: &'static dyn Link,
    /// The neighbour that it goes to.
    pub(super) next_hop: Ipv4Addr,
}

/// Returns the first hop to `destination`.
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

/// Returns the source address for packets to `destination`.
///
/// # Errors
/// `ENETUNREACH`: there is no route, or it is no unicast address.
pub(super) fn source_for(destination: Ipv4Addr) -> Result<Ipv4Addr, Errno> {
    if !segment::is_unicast(destination) {
        return Err(Errno::ENETUNREACH);
    }
    if is_own(destination) {
        return Ok(destination);
    }
    Ok(to(destination)?.link.address())
}

/// Checks that packets from `source` may go to `destination`: a loopback address may not leave the machine.
///
/// # Errors
/// `EINVAL`: they may not (`__mkroute_output`).
pub(super) fn check(source: Ipv4Addr, destination: Ipv4Addr) -> Result<(), Errno> {
    if source.is_loopback() && !is_local(destination) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Returns whether `address` belongs to this machine.
pub(super) fn is_local(address: Ipv4Addr) -> bool {
    (address.is_loopback() && segment::is_unicast(address)) || is_own(address)
}

/// Returns whether `address` is that of `eth0`.
fn is_own(address: Ipv4Addr) -> bool {
    ethernet::get().is_some_and(|ethernet| ethernet.network().address == address)
}
