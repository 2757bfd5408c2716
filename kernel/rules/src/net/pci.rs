//! PCI: enumerates functions and reads their configuration space.
//!
//! Source: PCI Local Bus Specification 3.0, chapter 6; PCI-to-PCI Bridge Architecture 1.2, section 3.2.

use alloc::vec::Vec;

const COMMAND: u8 = 0x04;
const HEADER_TYPE: u8 = 0x0c;
const FIRST_BAR: u8 = 0x10;
const BUSES: u8 = 0x18;
const CAPABILITIES: u8 = 0x34;

/// Memory decoding and bus mastering are on, the legacy interrupt is off.
const ENABLED: u32 = 1 << 1 | 1 << 2 | 1 << 10;

/// The status bits, which writing a one clears: they are not written back.
const STATUS: u32 = 0xffff_0000;

/// The status bit of a list of capabilities.
const HAS_CAPABILITIES: u32 = 1 << 20;

/// The most that fit into a configuration space: a longer list is a loop.
const MOST_CAPABILITIES: usize = 48;

/// A function of a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Function {
    /// Its bus.
    pub bus: u8,
    /// The device's number on the bus.
    pub device: u8,
    /// Its number within the device.
    pub number: u8,
}

/// Access to the configuration spaces of all functions.
pub trait Config {
    /// Reads the four bytes at `offset`; all ones if there is no function.
    fn read(&self, function: Function, offset: u8) -> u32;

    /// Writes the four bytes at `offset`.
    fn write(&self, function: Function, offset: u8, value: u32);
}

/// A capability of a function.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capability {
    /// What it is.
    pub id: u8,
    /// Its offset in the configuration space.
    pub offset: u8,
}

impl Function {
    /// Returns the value for port 0xcf8 that makes port 0xcfc the four bytes at `offset`.
    #[must_use]
    pub const fn port_address(self, offset: u8) -> u32 {
        1 << 31
            | (self.bus as u32) << 16
            | (self.device as u32 & 0x1f) << 11
            | (self.number as u32 & 7) << 8
            | (offset as u32 & 0xfc)
    }

    /// Reads the vendor and device IDs; `None`: there is no such function.
    pub fn identity(self, config: &impl Config) -> Option<(u16, u16)> {
        let word = config.read(self, 0);
        (word as u16 != 0xffff).then_some((word as u16, (word >> 16) as u16))
    }

    /// Enables memory decoding and bus mastering.
    pub fn enable(self, config: &impl Config) {
        let command = config.read(self, COMMAND) & !STATUS;
        config.write(self, COMMAND, command | ENABLED);
    }

    /// Reads the memory address in a base address register; `None`: it is unused, or for I/O ports.
    pub fn memory(self, config: &impl Config, index: u8) -> Option<u64> {
        if index > 5 {
            return None;
        }
        let offset = FIRST_BAR + 4 * index;
        let low = config.read(self, offset);
        let base = match low & 7 {
            0 => u64::from(low & !0xf),
            4 if index < 5 => u64::from(config.read(self, offset + 4)) << 32 | u64::from(low & !0xf),
            _ => return None,
        };
        (base != 0).then_some(base)
    }

    /// Reads the list of capabilities.
    pub fn capabilities(self, config: &impl Config) -> Vec<Capability> {
        let mut found = Vec::new();
        if config.read(self, COMMAND) & HAS_CAPABILITIES == 0 {
            return found;
        }
        let mut offset = config.read(self, CAPABILITIES) as u8 & !3;
        while offset >= 0x40 && found.len() < MOST_CAPABILITIES {
            let header = config.read(self, offset);
            found.push(Capability { id: header as u8, offset });
            offset = (header >> 8) as u8 & !3;
        }
        found
    }

    /// Reads the header type, and whether the device has more functions.
    fn kind(self, config: &impl Config) -> (u8, bool) {
        let kind = (config.read(self, HEADER_TYPE) >> 16) as u8;
        (kind & 0x7f, kind & 0x80 != 0)
    }
}

/// Finds all functions, on the first bus and behind bridges.
pub fn functions(config: &impl Config) -> Vec<Function> {
    let mut found = Vec::new();
    let mut buses = Vec::from([0]);
    let mut next = 0;
    while let Some(&bus) = buses.get(next) {
        next += 1;
        for device in 0..32 {
            let first = Function { bus, device, number: 0 };
            if first.identity(config).is_none() {
                continue;
            }
            let count = if first.kind(config).1 { 8 } else { 1 };
            for function in (0..count).map(|number| Function { number, ..first }) {
                if function.identity(config).is_none() {
                    continue;
                }
                found.push(function);
                let behind = (config.read(function, BUSES) >> 8) as u8;
                if function.kind(config).0 == 1 && !buses.contains(&behind) {
                    buses.push(behind);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
