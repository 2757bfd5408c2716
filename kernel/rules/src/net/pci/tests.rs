//! Functions behind bridges, registers and capabilities of a made-up bus.

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
