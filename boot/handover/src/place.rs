//! Finds room in memory for the parts that the stage hands over.
//!
//! The kernel's place is fixed. All other parts go below 4 GiB, the limit of OSTD's entry, and above 1 MiB,
//! where other CPUs start.
//! Invariant: each part lies in memory that the loader calls usable, and no two parts overlap.

use core::ops::Range;

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use heapless::Vec;

use crate::Refusal;

/// The size of a page; every part starts at one.
pub const PAGE: u64 = 4096;

const LOWEST: u64 = 1 << 20;
const BEYOND: u64 = 1 << 32;

/// The number of parts that can be placed, the kernel among them.
const PLACES: usize = 8;

/// The memory, and the places taken in it.
#[derive(Debug)]
pub struct Room<'a> {
    regions: &'a [MemoryRegion],
    taken: Vec<Range<u64>, PLACES>,
}

impl<'a> Room<'a> {
    /// Takes the kernel's place. It may overlap the bundle, as long as the part that is copied last does not.
    ///
    /// # Errors
    /// [`Refusal::TooLittleMemory`] if the place has no memory, [`Refusal::LoaderInTheWay`] if the loader uses it.
    pub fn new(regions: &'a [MemoryRegion], bundle: Range<u64>, kernel: Range<u64>) -> Result<Self, Refusal> {
        let mut at = kernel.start;
        let bundle = bundle.start..bundle.end.next_multiple_of(PAGE);
        while at < kernel.end {
            let around = |kind: MemoryRegionKind| {
                regions.iter().find(|region| region.kind == kind && (region.start..region.end).contains(&at))
            };
            at = match around(MemoryRegionKind::Usable) {
                Some(region) => region.end,
                None if bundle.contains(&at) => bundle.end,
                None if around(MemoryRegionKind::Bootloader).is_some() => {
                    return Err(Refusal::LoaderInTheWay { at });
                }
                None => return Err(Refusal::TooLittleMemory { missing: at }),
            };
        }
        let mut taken = Vec::new();
        // The list has room for several.
        let _ = taken.push(kernel.start..kernel.end.next_multiple_of(PAGE));
        Ok(Self { regions, taken })
    }

    /// Takes the lowest free place of this many bytes.
    ///
    /// # Errors
    /// [`Refusal::NoRoom`] if there is none.
    pub fn take(&mut self, bytes: u64) -> Result<Range<u64>, Refusal> {
        let refusal = Refusal::NoRoom { bytes };
        let length =
            bytes.checked_next_multiple_of(PAGE).filter(|&length| length <= BEYOND).ok_or(refusal)?;
        let usable = self.regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
        let starts =
            usable.clone().map(|region| region.start).chain(self.taken.iter().map(|taken| taken.end));
        let place = starts
            .map(|start| start.max(LOWEST).next_multiple_of(PAGE))
            .map(|start| start..start + length)
            .filter(|place| place.end <= BEYOND)
            .filter(|place| {
                usable.clone().any(|region| region.start <= place.start && place.end <= region.end)
            })
            .filter(|place| !self.taken.iter().any(|taken| overlap(taken, place)))
            .min_by_key(|place| place.start)
            .ok_or(refusal)?;
        self.taken.push(place.clone()).map_err(|_| refusal)?;
        Ok(place)
    }
}

/// Whether two ranges overlap.
pub fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end && !one.is_empty() && !other.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, prop_assert, prop_oneof, proptest};

    use super::*;

    const KERNEL: Range<u64> = 0x800_0000..0x880_0123;
    const NOWHERE: Range<u64> = 0..0;

    fn region(start: u64, end: u64, kind: MemoryRegionKind) -> MemoryRegion {
        MemoryRegion { start, end, kind }
    }

    #[test]
    fn places_are_the_lowest_and_apart() {
        let regions = [
            region(0, 0x9_f000, MemoryRegionKind::Usable),
            region(0x10_0000, 0x10_3000, MemoryRegionKind::Usable),
            region(0x10_3000, 0x20_0000, MemoryRegionKind::Bootloader),
            region(0x20_0000, 0x1000_0000, MemoryRegionKind::Usable),
        ];
        let mut room = Room::new(&regions, NOWHERE, KERNEL).unwrap();
        assert_eq!(room.take(0x1001), Ok(0x10_0000..0x10_2000));
        assert_eq!(room.take(0x2000), Ok(0x20_0000..0x20_2000));
        assert_eq!(room.take(1), Ok(0x10_2000..0x10_3000));
        assert_eq!(room.take(0x7d0_0000), Ok(0x20_2000..0x7f0_2000));
        assert_eq!(room.take(0x770_0000), Ok(0x880_1000..0xff0_1000));
        assert_eq!(room.take(0x800_0000), Err(Refusal::NoRoom { bytes: 0x800_0000 }));
        assert_eq!(room.take(u64::MAX), Err(Refusal::NoRoom { bytes: u64::MAX }));
    }

    #[test]
    fn nothing_goes_above_4_gib() {
        let regions = [
            region(0x20_0000, 0x1000_0000, MemoryRegionKind::Usable),
            region(1 << 32, 1 << 34, MemoryRegionKind::Usable),
        ];
        let mut room = Room::new(&regions, NOWHERE, KERNEL).unwrap();
        assert!(room.take(0x1000_0000).is_err());
    }

    #[test]
    fn the_kernel_needs_its_whole_place() {
        let memory = |end| {
            [
                region(0, 0x840_0000, MemoryRegionKind::Usable),
                region(0x840_0000, end, MemoryRegionKind::Usable),
            ]
        };
        assert!(Room::new(&memory(0x880_1000), NOWHERE, KERNEL).is_ok());
        assert_eq!(
            Room::new(&memory(0x880_0000), NOWHERE, KERNEL).map(|_| ()).unwrap_err(),
            Refusal::TooLittleMemory { missing: 0x880_0000 }
        );
        let busy = [
            region(0, 0x850_0000, MemoryRegionKind::Usable),
            region(0x850_0000, 0x900_0000, MemoryRegionKind::Bootloader),
        ];
        assert_eq!(
            Room::new(&busy, NOWHERE, KERNEL).map(|_| ()).unwrap_err(),
            Refusal::LoaderInTheWay { at: 0x850_0000 }
        );
        assert!(Room::new(&busy, 0x850_0000..0x900_0000, KERNEL).is_ok());
        assert_eq!(
            Room::new(&busy, 0x850_0000..0x860_0001, KERNEL).map(|_| ()).unwrap_err(),
            Refusal::LoaderInTheWay { at: 0x860_1000 }
        );
    }

    proptest! {
        #[test]
        fn whatever_is_placed_is_usable_and_apart(
            kinds in proptest::collection::vec(prop_oneof![
                Just(MemoryRegionKind::Usable), Just(MemoryRegionKind::Bootloader), Just(MemoryRegionKind::UnknownBios(2)),
            ], 1..30),
            sizes in proptest::collection::vec(1..0x40_0000_u64, 1..7),
        ) {
            // Unaligned regions of a little over 1 MiB, and the kernel after them.
            let step = 0x10_0400;
            let mut regions: std::vec::Vec<_> =
                (0..).zip(kinds).map(|(i, kind)| region(i * step, (i + 1) * step, kind)).collect();
            regions.push(region(KERNEL.start, KERNEL.end, MemoryRegionKind::Usable));
            let mut room = Room::new(&regions, NOWHERE, KERNEL).unwrap();
            let mut places = vec![KERNEL];
            for size in sizes {
                let Ok(place) = room.take(size) else { continue };
                prop_assert!(place.end - place.start >= size && place.start % PAGE == 0 && place.start >= LOWEST);
                prop_assert!(!places.iter().any(|other| overlap(other, &place)));
                let usable = |address: u64| regions.iter().any(|region| {
                    region.kind == MemoryRegionKind::Usable && (region.start..region.end).contains(&address)
                });
                prop_assert!((place.start..place.end).step_by(1024).all(usable) && usable(place.end - 1));
                places.push(place);
            }
        }
    }
}
