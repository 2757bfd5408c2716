//! The ioctl(2) requests for network interfaces.
//!
//! Source: netdevice(7); Linux 6.1 include/uapi/linux/if.h, include/uapi/linux/sockios.h.

use core::net::Ipv4Addr;

use crate::abi::errno::Errno;

/// Gets the name of the interface with a number.
pub const SIOCGIFNAME: u32 = 0x8910;
/// Lists all interfaces with an address.
pub const SIOCGIFCONF: u32 = 0x8912;
/// The flags.
pub const SIOCGIFFLAGS: u32 = 0x8913;
/// Sets the flags.
pub const SIOCSIFFLAGS: u32 = 0x8914;
/// The address.
pub const SIOCGIFADDR: u32 = 0x8915;
/// Sets the address.
pub const SIOCSIFADDR: u32 = 0x8916;
/// Gets the address of the peer of a point-to-point link.
pub const SIOCGIFDSTADDR: u32 = 0x8917;
/// Gets the broadcast address.
pub const SIOCGIFBRDADDR: u32 = 0x8919;
/// The mask.
pub const SIOCGIFNETMASK: u32 = 0x891b;
/// Sets the mask.
pub const SIOCSIFNETMASK: u32 = 0x891c;
/// Gets the metric.
pub const SIOCGIFMETRIC: u32 = 0x891d;
/// Bytes of a packet at most.
pub const SIOCGIFMTU: u32 = 0x8921;
/// Gets the hardware address.
pub const SIOCGIFHWADDR: u32 = 0x8927;
/// Gets the number.
pub const SIOCGIFINDEX: u32 = 0x8933;
/// Gets the length of the transmit queue.
pub const SIOCGIFTXQLEN: u32 = 0x8942;
/// Gets the card's place in the machine.
pub const SIOCGIFMAP: u32 = 0x8970;

/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`.
pub const ETHER: u16 = 1;
/// See [`ETHER`].
pub const LOOPBACK: u16 = 772;

bitflags::bitflags! {
    /// The flags of an interface.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Flags: u16 {
        /// `IFF_UP`.
        const UP = 1;
        /// `IFF_BROADCAST`.
        const BROADCAST = 2;
        /// `IFF_LOOPBACK`.
        const LOOPBACK = 8;
        /// `IFF_RUNNING`.
        const RUNNING = 0x40;
        /// `IFF_MULTICAST`.
        const MULTICAST = 0x1000;
    }
}

/// The length of an interface's name, with the zero at its end: `IFNAMSIZ`.
const NAME: usize = 16;

/// The length of the transmit queue that Linux reports for such a card. Nothing is queued here: packets that the card
/// does not take are dropped.
pub const QUEUE_LEN: u32 = 1000;

/// The properties of an interface that programs may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its name.
    pub name: &'static str,
    /// Its number, from 1 on.
    pub index: u32,
    /// Its flags.
    pub flags: Flags,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its netmask.
    pub mask: Ipv4Addr,
    /// Its broadcast address; unspecified if there is none.
    pub broadcast: Ipv4Addr,
    /// Bytes of a packet at most.
    pub mtu: u32,
    /// Its hardware type and address.
    pub hardware: (u16, [u8; 6]),
}

/// `struct ifreq`: a name, and the value asked for or given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterfaceRequest(pub [u8; Self::SIZE]);

impl InterfaceRequest {
    /// The size of the structure.
    pub const SIZE: usize = 40;

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let name = &self.0[..NAME - 1];
        &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())]
    }

    /// Returns the value as a number.
    #[must_use]
    pub fn number(&self) -> u32 {
        u32::from_ne_bytes([self.0[NAME], self.0[NAME + 1], self.0[NAME + 2], self.0[NAME + 3]])
    }

    /// Returns the value as flags.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags::from_bits_truncate(u16::from_ne_bytes([self.0[NAME], self.0[NAME + 1]]))
    }

    /// Returns the value as an address.
    ///
    /// # Errors
    /// `EINVAL`: it is not of the internet family.
    pub fn address(&self) -> Result<Ipv4Addr, Errno> {
        const AF_INET: u16 = 2;
        if u16::from_ne_bytes([self.0[NAME], self.0[NAME + 1]]) != AF_INET {
            return Err(Errno::EINVAL);
        }
        let [.., a, b, c, d] = self.0[..NAME + 8] else { return Err(Errno::EINVAL) };
        Ok(Ipv4Addr::new(a, b, c, d))
    }

    /// Sets the name.
    pub fn set_name(&mut self, name: &str) {
        self.0[..NAME].fill(0);
        self.0[..name.len()].copy_from_slice(name.as_bytes());
    }

    /// Sets the first bytes of the value; those behind them stay.
    fn answer(&mut self, bytes: &[u8]) {
        self.0[NAME..NAME + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets the value to an address.
    pub fn set_address(&mut self, address: Ipv4Addr) {
        let mut bytes = [0; 16];
        bytes[0] = 2;
        bytes[4..8].copy_from_slice(&address.octets());
        self.answer(&bytes);
    }
}

impl Interface {
    /// Answers the request `request` for this interface.
    ///
    /// # Errors
    /// `ENOTTY`: there is no such request.
    pub fn tell(&self, request: u32, answer: &mut InterfaceRequest) -> Result<(), Errno> {
        match request {
            SIOCGIFFLAGS => answer.answer(&self.flags.bits().to_ne_bytes()),
            SIOCGIFADDR | SIOCGIFDSTADDR => answer.set_address(self.address),
            SIOCGIFBRDADDR => answer.set_address(self.broadcast),
            SIOCGIFNETMASK => answer.set_address(self.mask),
            SIOCGIFMETRIC => answer.answer(&[0; 4]),
            SIOCGIFMTU => answer.answer(&self.mtu.to_ne_bytes()),
            SIOCGIFINDEX => answer.answer(&self.index.to_ne_bytes()),
            SIOCGIFTXQLEN => answer.answer(&QUEUE_LEN.to_ne_bytes()),
            SIOCGIFMAP => answer.answer(&[0; 24]),
            SIOCGIFHWADDR => {
                let mut bytes = [0; 16];
                bytes[..2].copy_from_slice(&self.hardware.0.to_ne_bytes());
                bytes[2..8].copy_from_slice(&self.hardware.1);
                answer.answer(&bytes);
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(())
    }

    /// Returns whether the value that `request` would set is in force already.
    ///
    /// # Errors
    /// `ENOTTY`: it sets nothing. `EINVAL`: the value is no address.
    pub fn is_as(&self, request: u32, wanted: &InterfaceRequest) -> Result<bool, Errno> {
        match request {
            // A program may change only these.
            SIOCSIFFLAGS => Ok(wanted.flags() & Flags::UP == self.flags & Flags::UP),
            SIOCSIFADDR => Ok(wanted.address()? == self.address),
            SIOCSIFNETMASK => Ok(wanted.address()? == self.mask),
            _ => Err(Errno::ENOTTY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LO: Interface = Interface {
        name: "lo",
        index: 1,
        flags: Flags::UP.union(Flags::LOOPBACK).union(Flags::RUNNING),
        address: Ipv4Addr::LOCALHOST,
        mask: Ipv4Addr::new(255, 0, 0, 0),
        broadcast: Ipv4Addr::UNSPECIFIED,
        mtu: 65536,
        hardware: (LOOPBACK, [0; 6]),
    };

    #[test]
    fn a_name_ends_with_its_zero_or_its_room() {
        let mut request = InterfaceRequest([b'x'; InterfaceRequest::SIZE]);
        assert_eq!(request.name(), [b'x'; 15]);
        request.set_name("lo");
        assert_eq!(request.name(), b"lo");
    }

    #[test]
    fn answers_stand_behind_the_name() {
        let mut request = InterfaceRequest([0; InterfaceRequest::SIZE]);
        request.set_name("lo");
        LO.tell(SIOCGIFMTU, &mut request).unwrap();
        assert_eq!((request.name(), request.number()), (&b"lo"[..], 65536));
        LO.tell(SIOCGIFADDR, &mut request).unwrap();
        assert_eq!(request.address(), Ok(Ipv4Addr::LOCALHOST));
        assert_eq!(LO.tell(0x8999, &mut request), Err(Errno::ENOTTY));
    }

    #[test]
    fn what_is_wanted_is_compared_with_what_is() {
        let mut request = InterfaceRequest([0; InterfaceRequest::SIZE]);
        assert_eq!(LO.is_as(SIOCSIFFLAGS, &request), Ok(false), "down");
        assert_eq!(LO.is_as(SIOCSIFADDR, &request), Err(Errno::EINVAL));
        LO.tell(SIOCGIFFLAGS, &mut request).unwrap();
        assert_eq!(LO.is_as(SIOCSIFFLAGS, &request), Ok(true));
        request.set_address(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(LO.is_as(SIOCSIFADDR, &request), Ok(false));
    }
}
