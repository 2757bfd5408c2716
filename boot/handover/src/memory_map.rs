//! Converts the loader's memory map to the form of the Linux protocol (e820).
//!
//! Invariant: entries are sorted and disjoint; no entry calls an address RAM that any region restricts.
//! Source: ACPI specification 6.4, 15 "System Address Map Interfaces"; UEFI specification 2.10, 7.2.

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use heapless::Vec;

use crate::Refusal;

/// The number of entries that the protocol's page has room for.
pub const MAX_ENTRIES: usize = 128;

/// The types of memory, with the numbers of e820. OSTD knows these five.
///
/// They are ordered by restriction: where regions overlap, the last one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Free for use.
    Ram,
    /// Holds ACPI tables; free once the kernel has read them.
    Acpi,
    /// The firmware's storage across sleep (ACPI NVS).
    Nvs,
    /// Reserved.
    Reserved,
    /// Faulty.
    Unusable,
}

impl Kind {
    /// Returns the number in an entry.
    pub fn number(self) -> u32 {
        match self {
            Self::Ram => 1,
            Self::Reserved => 2,
            Self::Acpi => 3,
            Self::Nvs => 4,
            Self::Unusable => 5,
        }
    }

    /// Returns the type of a region once the kernel runs. The loader's own memory is free by then.
    fn of(region: &MemoryRegion) -> Self {
        match region.kind {
            MemoryRegionKind::Usable | MemoryRegionKind::Bootloader => Self::Ram,
            MemoryRegionKind::UnknownBios(3) | MemoryRegionKind::UnknownUefi(9) => Self::Acpi,
            MemoryRegionKind::UnknownBios(4) | MemoryRegionKind::UnknownUefi(10) => Self::Nvs,
            MemoryRegionKind::UnknownBios(5) | MemoryRegionKind::UnknownUefi(8) => Self::Unusable,
            _ => Self::Reserved,
        }
    }
}

/// A range of physical addresses of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Its type.
    pub kind: Kind,
}

/// The memory map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMap(Vec<Entry, MAX_ENTRIES>);

impl MemoryMap {
    /// Converts the loader's map.
    ///
    /// `root_table` is the address of the ACPI root table. SeaBIOS marks that region reserved, and OSTD does not map
    /// reserved memory at the top; so this marks the region as ACPI tables.
    ///
    /// # Errors
    /// [`Refusal::CrowdedMemoryMap`] if the protocol's page has no room for the entries.
    pub fn new(regions: &[MemoryRegion], root_table: Option<u64>) -> Result<Self, Refusal> {
        let kind = |region: &MemoryRegion| {
            let has_tables = root_table.is_some_and(|address| (region.start..region.end).contains(&address));
            match Kind::of(region) {
                Kind::Reserved if has_tables => Kind::Acpi,
                kind => kind,
            }
        };
        let mut entries: Vec<Entry, MAX_ENTRIES> = Vec::new();
        let mut start = 0;
        // From border to border; the map of a large machine has a few hundred.
        while let Some(end) = next_border(regions, start) {
            let covering = regions.iter().filter(|region| region.start <= start && start < region.end);
            if let Some(kind) = covering.map(kind).max() {
                match entries.last_mut() {
                    Some(last) if last.end == start && last.kind == kind => last.end = end,
                    _ => entries.push(Entry { start, end, kind }).map_err(|_| Refusal::CrowdedMemoryMap)?,
                }
            }
            start = end;
        }
        Ok(Self(entries))
    }

    /// Returns the entries, from the lowest address to the highest.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

/// Returns the first start or end of a region after an address.
fn next_border(regions: &[MemoryRegion], address: u64) -> Option<u64> {
    let regions = regions.iter().filter(|region| region.start < region.end);
    regions.flat_map(|region| [region.start, region.end]).filter(|&border| border > address).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn region(start: u64, end: u64, kind: MemoryRegionKind) -> MemoryRegion {
        MemoryRegion { start, end, kind }
    }

    fn entries(regions: &[MemoryRegion], root_table: Option<u64>) -> Vec<(u64, u64, u32), MAX_ENTRIES> {
        let map = MemoryMap::new(regions, root_table).unwrap();
        map.entries().iter().map(|entry| (entry.start, entry.end, entry.kind.number())).collect()
    }

    #[test]
    fn the_loaders_own_memory_is_free_again_and_joined_with_its_neighbours() {
        let regions = [
            region(0x10_0000, 0x20_0000, MemoryRegionKind::Bootloader),
            region(0, 0x9_fc00, MemoryRegionKind::Usable),
            region(0x20_0000, 0x40_0000, MemoryRegionKind::Usable),
        ];
        assert_eq!(entries(&regions, None), [(0, 0x9_fc00, 1), (0x10_0000, 0x40_0000, 1)]);
    }

    #[test]
    fn a_reserved_region_with_the_acpi_tables_is_called_so() {
        let regions = [
            region(0x1000, 0x2000, MemoryRegionKind::UnknownBios(2)),
            region(0x2000, 0x3000, MemoryRegionKind::UnknownBios(2)),
            region(0x3000, 0x4000, MemoryRegionKind::Usable),
        ];
        assert_eq!(
            entries(&regions, Some(0x2abc)),
            [(0x1000, 0x2000, 2), (0x2000, 0x3000, 3), (0x3000, 0x4000, 1)]
        );
        assert_eq!(entries(&regions, Some(0x3abc)), [(0x1000, 0x3000, 2), (0x3000, 0x4000, 1)]);
    }

    #[test]
    fn the_firmwares_numbers_become_those_of_e820() {
        let number = |kind| entries(&[region(0, 1, kind)], None)[0].2;
        let bios = [1, 2, 3, 4, 5, 6, 0xffff].map(|kind| number(MemoryRegionKind::UnknownBios(kind)));
        assert_eq!(bios, [2, 2, 3, 4, 5, 2, 2]);
        let uefi = [0, 5, 6, 8, 9, 10, 11, 14].map(|kind| number(MemoryRegionKind::UnknownUefi(kind)));
        assert_eq!(uefi, [2, 2, 2, 5, 3, 4, 2, 2]);
    }

    #[test]
    fn a_map_without_end_is_refused() {
        let regions: std::vec::Vec<_> =
            (0..=128).map(|i| region(2 * i, 2 * i + 1, MemoryRegionKind::Usable)).collect();
        assert_eq!(MemoryMap::new(&regions, None), Err(Refusal::CrowdedMemoryMap));
        assert_eq!(MemoryMap::new(&regions[1..], None).unwrap().entries().len(), 128);
    }

    fn kinds() -> impl Strategy<Value = MemoryRegionKind> {
        prop_oneof![
            Just(MemoryRegionKind::Usable),
            Just(MemoryRegionKind::Bootloader),
            (0..16_u32).prop_map(MemoryRegionKind::UnknownBios),
            (0..16_u32).prop_map(MemoryRegionKind::UnknownUefi),
        ]
    }

    fn regions() -> impl Strategy<Value = std::vec::Vec<MemoryRegion>> {
        let one = (0..64_u64, 0..64_u64, kinds()).prop_map(|(start, end, kind)| region(start, end, kind));
        proptest::collection::vec(one, 0..20)
    }

    proptest! {
        #[test]
        fn every_address_keeps_its_strictest_kind(regions in regions(), table in 0..64_u64) {
            let map = MemoryMap::new(&regions, Some(table)).unwrap();
            for address in 0..64 {
                let mentioned = regions.iter().filter(|region| (region.start..region.end).contains(&address));
                let expected = mentioned.map(|region| match Kind::of(region) {
                    Kind::Reserved if (region.start..region.end).contains(&table) => Kind::Acpi,
                    kind => kind,
                }).max();
                let mut found = map.entries().iter().filter(|entry| (entry.start..entry.end).contains(&address));
                prop_assert_eq!(found.next().map(|entry| entry.kind), expected, "address {}", address);
                prop_assert_eq!(found.next(), None);
            }
        }

        #[test]
        fn entries_are_sorted_and_joined(regions in regions()) {
            let map = MemoryMap::new(&regions, None).unwrap();
            prop_assert!(map.entries().iter().all(|entry| entry.start < entry.end));
            for pair in map.entries().windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
                prop_assert!(pair[0].end < pair[1].start || pair[0].kind != pair[1].kind);
            }
        }
    }
}
