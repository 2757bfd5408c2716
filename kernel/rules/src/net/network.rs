//! The addresses of a machine on its network, and the next hop of a packet.
//!
//! Source: Linux 6.1 Documentation/admin-guide/nfs/nfsroot.rst, `ip=`.

use core::net::Ipv4Addr;
use core::str::FromStr;

/// The configuration of the network interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// The machine's address.
    pub address: Ipv4Addr,
    /// The netmask.
    pub mask: Ipv4Addr,
    /// The default gateway.
    pub gateway: Option<Ipv4Addr>,
}

impl Network {
    /// The configuration that QEMU's user network gives to its first guest.
    pub const QEMU_USER: Self = Self {
        address: Ipv4Addr::new(10, 0, 2, 15),
        mask: Ipv4Addr::new(255, 255, 255, 0),
        gateway: Some(Ipv4Addr::new(10, 0, 2, 2)),
    };

    /// Returns whether `other` is on the network.
    #[must_use]
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        self.address & self.mask == other & self.mask
    }

    /// Returns whether `other` is the network's broadcast address.
    #[must_use]
    pub fn is_broadcast(&self, other: Ipv4Addr) -> bool {
        self.contains(other) && other | self.mask == Ipv4Addr::BROADCAST
    }

    /// Returns the neighbour that takes packets for `other`; `None`: there is no route.
    #[must_use]
    pub fn next_hop(&self, other: Ipv4Addr) -> Option<Ipv4Addr> {
        if self.contains(other) { Some(other) } else { self.gateway }
    }
}

/// Parses `ADDRESS:SERVER:GATEWAY:MASK`, as Linux does: the server is ignored, the gateway may be missing, and so may
/// the mask, which then follows from the address's class. The rest (a name, `eth0`, `off`) is ignored.
impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut fields = text.split(':');
        let mut next = || match fields.next() {
            None | Some("") => Ok(None),
            Some(field) => field.parse::<Ipv4Addr>().map(Some).map_err(|_| ()),
        };
        let (address, _server, gateway, mask) = (next()?.ok_or(())?, next()?, next()?, next()?);
        let mask = mask.unwrap_or_else(|| classful(address));
        let is_host = !(address.is_loopback() || address.is_multicast() || address.is_broadcast());
        let is_mask = mask.to_bits().leading_ones() == mask.to_bits().count_ones() && mask.to_bits() != 0;
        let network = Self { address, mask, gateway };
        let is_reachable = gateway.is_none_or(|gateway| network.contains(gateway) && gateway != address);
        if is_host && !address.is_unspecified() && is_mask && is_reachable { Ok(network) } else { Err(()) }
    }
}

/// Returns the mask of an address's class.
fn classful(address: Ipv4Addr) -> Ipv4Addr {
    let prefix = match address.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    };
    Ipv4Addr::from_bits(u32::MAX << (32 - prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_linux_reads_it() {
        assert_eq!("10.0.2.15::10.0.2.2:255.255.255.0".parse(), Ok(Network::QEMU_USER));
        assert_eq!("10.0.2.15::10.0.2.2:255.255.255.0::eth0:off".parse(), Ok(Network::QEMU_USER));
        let plain: Network = "192.168.7.1".parse().expect("an address alone is enough");
        assert_eq!((plain.mask, plain.gateway), (Ipv4Addr::new(255, 255, 255, 0), None));
        for bad in ["", ":", "10.0.2", "127.0.0.1", "10.0.0.1:::255.0.255.0", "10.0.0.1::11.0.0.1", "0.0.0.0"]
        {
            assert_eq!(bad.parse::<Network>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn others_are_on_the_network_or_behind_the_gateway() {
        let network = Network::QEMU_USER;
        let [near, far] = [Ipv4Addr::new(10, 0, 2, 3), Ipv4Addr::new(1, 1, 1, 1)];
        assert_eq!((network.next_hop(near), network.next_hop(far)), (Some(near), network.gateway));
        assert!(network.is_broadcast(Ipv4Addr::new(10, 0, 2, 255)) && !network.is_broadcast(near));
        assert_eq!(Network { gateway: None, ..network }.next_hop(far), None);
    }
}
