//! Network interfaces, as ioctl(2) shows them.
//!
//! Source: netdevice(7); Linux 6.1 include/uapi/linux/if.h, include/uapi/linux/sockios.h.

use core::net::Ipv4Addr;

use crate::abi::errno::Errno;

/// The name of the interface with a number.
pub const SIOCGIFNAME: u32 = 0x8910;
/// All interfaces with an address.
pub const SIOCGIFCONF: u32 = 0x8912;
/// The flags.
pub const SIOCGIFFLAGS: u32 = 0x8913;
/// Sets the flags.
pub const SIOCSIFFLAGS: u32 = 0x8914;
/// The address.
pub const SIOCGIFADDR: u32 = 0x8915;
/// Sets the address.
pub const SIOCSIFADDR: u32 = 0x8916;
/// The address at the other end of a line.
pub const SIOCGIFDSTADDR: u32 = 0x8917;
/// The address of everybody.
pub const SIOCGIFBRDADDR: u32 = 0x8919;
/// The mask.
pub const SIOCGIFNETMASK: u32 = 0x891b;
/// Sets the mask.
pub const SIOCSIFNETMASK: u32 = 0x891c;
/// The metric.
pub const SIOCGIFMETRIC: u32 = 0x891d;
/// Bytes of a packet at most.
pub const SIOCGIFMTU: u32 = 0x8921;
/// The address of the card.
pub const SIOCGIFHWADDR: u32 = 0x8927;
/// The number.
pub const SIOCGIFINDEX: u32 = 0x8933;
/// Packets that may wait to be sent.
pub const SIOCGIFTXQLEN: u32 = 0x8942;
/// Where the card is in the machine.
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

/// Bytes of an interface's name, with the zero at its end: `IFNAMSIZ`.
const NAME: usize = 16;

/// Packets that may wait to be sent. Nothing waits here: what a card does not take is lost. This is what Linux says of
/// such a card.
pub const QUEUE_LEN: u32 = 1000;

/// An interface, as far as programs may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its name.
    pub name: &'static str,
    /// Its number, from 1 on.
    pub index: u32,
    /// What it is and does.
    pub flags: Flags,
    /// Its address.
    pub address: Ipv4Addr,
    /// Which bits of it are the network's.
    pub mask: Ipv4Addr,
    /// Everybody's address; unspecified where there is none.
    pub broadcast: Ipv4Addr,
    /// Bytes of a packet at most.
    pub mtu: u32,
    /// The kind of hardware, and its address.
    pub hardware: (u16, [u8; 6]),
}

/// `struct ifreq`: a name, and what is asked or answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterfaceRequest(pub [u8; Self::SIZE]);

impl InterfaceRequest {
    /// Bytes of it.
    pub const SIZE: usize = 40;

    /// The name that the program has put in.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let name = &self.0[..NAME - 1];
        &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())]
    }

    /// The number behind the name.
    #[must_use]
    pub fn number(&self) -> u32 {
        u32::from_ne_bytes([self.0[NAME], self.0[NAME + 1], self.0[NAME + 2], self.0[NAME + 3]])
    }

    /// The flags behind the name.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags::from_bits_truncate(u16::from_ne_bytes([self.0[NAME], self.0[NAME + 1]]))
    }

    /// The address behind the name.
    ///
    /// # Errors
    /// `EINVAL`: it is of no internet family.
    pub fn address(&self) -> Result<Ipv4Addr, Errno> {
        const AF_INET: u16 = 2;
        if u16::from_ne_bytes([self.0[NAME], self.0[NAME + 1]]) != AF_INET {
            return Err(Errno::EINVAL);
        }
        let [.., a, b, c, d] = self.0[..NAME + 8] else { return Err(Errno::EINVAL) };
        Ok(Ipv4Addr::new(a, b, c, d))
    }

    /// Puts in a name.
    pub fn set_name(&mut self, name: &str) {
        self.0[..NAME].fill(0);
        self.0[..name.len()].copy_from_slice(name.as_bytes());
    }

    /// Answers with what follows the name; what is behind it stays as it was.
    fn answer(&mut self, bytes: &[u8]) {
        self.0[NAME..NAME + bytes.len()].copy_from_slice(bytes);
    }

    /// Answers with an address.
    pub fn set_address(&mut self, address: Ipv4Addr) {
        let mut bytes = [0; 16];
        bytes[0] = 2;
        bytes[4..8].copy_from_slice(&address.octets());
        self.answer(&bytes);
    }
}

impl Interface {
    /// Answers what `request` asks of this interface.
    ///
    /// # Errors
    /// `ENOTTY`: there is no such question.
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

    /// Whether what `request` wants is so already.
    ///
    /// # Errors
    /// `ENOTTY`: it wants nothing. `EINVAL`: no address.
    pub fn is_as(&self, request: u32, wanted: &InterfaceRequest) -> Result<bool, Errno> {
        match request {
            // Only these are the program's to say.
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
