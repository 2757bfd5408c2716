//! The table of port IDs: a socket has at most one, and no two have the same.
//!
//! Source: netlink(7); Linux 6.1 net/netlink/af_netlink.c (`netlink_autobind`, `netlink_insert`).

use alloc::collections::BTreeSet;

use crate::abi::errno::Errno;

/// The largest number that is chosen where that of the process is taken: as a negative one, -4097.
const LARGEST: u32 = 0_u32.wrapping_sub(4097);

/// Those that are taken.
#[derive(Debug, Default)]
pub struct PortIds(BTreeSet<u32>);

impl PortIds {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Takes `port`.
    ///
    /// # Errors
    /// `EADDRINUSE`: it is taken.
    pub fn bind(&mut self, port: u32) -> Result<(), Errno> {
        if self.0.insert(port) { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }

    /// Takes the number of `process`, or a negative one from `random` on downwards.
    pub fn bind_any(&mut self, process: u32, random: u32) -> u32 {
        let mut port = process;
        if !self.0.insert(port) {
            const FIRST: u32 = 1 << 31;
            port = FIRST + random % (LARGEST - FIRST + 1);
            while !self.0.insert(port) {
                port = if port == FIRST { LARGEST } else { port - 1 };
            }
        }
        port
    }

    /// Gives `port` back.
    pub fn release(&mut self, port: u32) {
        self.0.remove(&port);
    }
}
