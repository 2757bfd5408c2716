//! PCI: which functions there are, and what their configuration space says.
//!
//! Source: PCI Local Bus Specification 3.0, chapter 6; PCI-to-PCI Bridge Architecture 1.2, section 3.2.

use alloc::vec::Vec;

const COMMAND: u8 = 0x04;
const HEADER_TYPE: u8 = 0x0c;
const FIRST_BAR: u8 = 0x10;
const BUSES: u8 = 0x18;
const CAPABILITIES: u8 = 0x34;

/// Answers at its memory addresses, and may write to memory itself; its old interrupt pin is silent.
const ENABLED: u32 = 1 << 1 | 1 << 2 | 1 << 10;

/// The bits of a status register that a one clears: they are not written back.
const STATUS: u32 = 0xffff_0000;

/// A status register says that there is a list of capabilities.
const HAS_CAPABILITIES: u32 = 1 << 20;

/// More than fit into a configuration space: a list that is longer is a ring.
const MOST_CAPABILITIES: usize = 48;

/// A function of a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Function {
    /// Its bus.
    pub bus: u8,
    /// Its place on the bus.
    pub device: u8,
    /// Its number within the device.
    pub number: u8,
}

/// The way to the configuration spaces of all functions.
pub trait Config {
    /// Reads the four bytes at `offset`; all ones where there is nothing.
    fn read(&self, function: Function, offset: u8) -> u32;

    /// Writes them.
    fn write(&self, function: Function, offset: u8, value: u32);
}

/// A capability: what it is, and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capability {
    /// What it is.
    pub id: u8,
    /// Where it stands in the configuration space.
    pub offset: u8,
}

impl Function {
    /// What to write to port 0xcf8, so that 0xcfc is the four bytes at `offset`.
    #[must_use]
    pub const fn port_address(self, offset: u8) -> u32 {
        1 << 31
            | (self.bus as u32) << 16
            | (self.device as u32 & 0x1f) << 11
            | (self.number as u32 & 7) << 8
            | (offset as u32 & 0xfc)
    }

    /// The numbers of its maker, and of what it is; `None` if there is no such function.
    pub fn identity(self, config: &impl Config) -> Option<(u16, u16)> {
        let word = config.read(self, 0);
        (word as u16 != 0xffff).then_some((word as u16, (word >> 16) as u16))
    }

    /// Lets it answer, and reach memory.
    pub fn enable(self, config: &impl Config) {
        let command = config.read(self, COMMAND) & !STATUS;
        config.write(self, COMMAND, command | ENABLED);
    }

    /// The address in memory that a base address register holds; `None`: none, or ports.
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

    /// Its capabilities, in their order.
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

    /// The header's type, and whether the device has more functions.
    fn kind(self, config: &impl Config) -> (u8, bool) {
        let kind = (config.read(self, HEADER_TYPE) >> 16) as u8;
        (kind & 0x7f, kind & 0x80 != 0)
    }
}

/// All functions, on the first bus and behind bridges.
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
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::vec;

    use super::*;

    #[derive(Default)]
    struct FakeConfigSpace(RefCell<BTreeMap<(Function, u8), u32>>);

    impl Config for FakeConfigSpace {
        fn read(&self, function: Function, offset: u8) -> u32 {
            let words = self.0.borrow();
            let is_there = words.contains_key(&(function, 0));
            words.get(&(function, offset)).copied().unwrap_or(if is_there { 0 } else { u32::MAX })
        }

        fn write(&self, function: Function, offset: u8, value: u32) {
            self.0.borrow_mut().insert((function, offset), value);
        }
    }

    const fn at(bus: u8, device: u8, number: u8) -> Function {
        Function { bus, device, number }
    }

    #[test]
    fn functions_behind_bridges_are_found_and_rings_of_bridges_end() {
        let space = FakeConfigSpace::default();
        space.write(at(0, 0, 0), 0, 0x1237_8086);
        space.write(at(0, 2, 0), 0, 1);
        space.write(at(0, 2, 0), HEADER_TYPE, 0x81 << 16);
        space.write(at(0, 2, 0), BUSES, 3 << 8);
        space.write(at(0, 2, 5), 0, 2);
        space.write(at(3, 31, 0), 0, 1);
        space.write(at(3, 31, 0), HEADER_TYPE, 1 << 16);
        // One function only: what answers under another number is the same once more.
        space.write(at(3, 31, 1), 0, 1);
        assert_eq!(functions(&space), [at(0, 0, 0), at(0, 2, 0), at(0, 2, 5), at(3, 31, 0)]);
    }

    #[test]
    fn base_addresses_have_32_or_64_bits() {
        let space = FakeConfigSpace::default();
        let function = at(0, 3, 0);
        let words = [0xfebd_0000, 0xc041, 0x8000_000c, 0x39, 0, 0xfe00_0004];
        for (index, word) in (0..).zip(words) {
            space.write(function, FIRST_BAR + 4 * index, word);
        }
        let found: vec::Vec<_> = (0..7).map(|index| function.memory(&space, index)).collect();
        let high = Some(0x39_8000_0000);
        assert_eq!(found, [Some(0xfebd_0000), None, high, None, None, None, None]);
    }

    #[test]
    fn a_list_of_capabilities_that_bites_its_tail_ends() {
        let space = FakeConfigSpace::default();
        let function = at(0, 3, 0);
        space.write(function, 0, 0x1041_1af4);
        assert!(function.capabilities(&space).is_empty());
        space.write(function, COMMAND, HAS_CAPABILITIES);
        space.write(function, CAPABILITIES, 0x40);
        space.write(function, 0x40, 0x5011);
        space.write(function, 0x50, 0x4009);
        let found = function.capabilities(&space);
        assert_eq!(found[..2], [Capability { id: 0x11, offset: 0x40 }, Capability { id: 9, offset: 0x50 }]);
        assert_eq!(found.len(), MOST_CAPABILITIES);
    }

    #[test]
    fn ports_address_what_is_meant() {
        assert_eq!(at(1, 2, 3).port_address(0x3d), 0x8001_133c);
    }
}
