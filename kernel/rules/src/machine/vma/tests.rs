//! The areas against an array of pages.

use alloc::vec::Vec;
use core::ops::Range;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Area, Areas, Backing, Traits};
use crate::machine::abi::mman::Prot;

/// Takes everything out of `range`.
fn remove(areas: &mut Areas<Origin>, range: Range<usize>) -> Vec<Area<Origin>> {
    core::iter::from_fn(|| areas.remove_first(range.clone())).collect()
}

const PAGE: usize = 4096;
const PAGES: usize = 48;

/// Where the first byte comes from; 0 is "nowhere", and the same at every offset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Origin(usize);

impl Backing for Origin {
    fn advanced(&self, bytes: usize) -> Self {
        Self(if self.0 == 0 { 0 } else { self.0 + bytes })
    }

    fn is_continued_by(&self, len: usize, next: &Self) -> bool {
        self.advanced(len) == *next
    }

    fn is_private(&self) -> bool {
        true
    }
}

fn area(pages: Range<usize>, prot: Prot, origin: usize) -> Area<Origin> {
    Area {
        start: pages.start * PAGE,
        end: pages.end * PAGE,
        prot,
        max_prot: Prot::all(),
        traits: Traits::empty(),
        backing: Origin(origin),
    }
}

fn bytes(pages: &Range<usize>) -> Range<usize> {
    pages.start * PAGE..pages.end * PAGE
}

#[test]
fn neighbours_that_continue_one_another_become_one() {
    let mut areas = Areas::default();
    areas.insert(area(2..3, Prot::READ, 0));
    areas.insert(area(0..1, Prot::READ, 0));
    assert_eq!(areas.count(), 2);
    areas.insert(area(1..2, Prot::READ, 0));
    assert_eq!(areas.count(), 1);
    assert_eq!(areas.total(), 3 * PAGE);
}

#[test]
fn file_ranges_join_only_where_the_offset_goes_on() {
    let mut areas = Areas::default();
    areas.insert(area(0..1, Prot::READ, 0x10000));
    areas.insert(area(1..2, Prot::READ, 0x10000 + PAGE));
    areas.insert(area(2..3, Prot::READ, 0x10000));
    assert_eq!(areas.count(), 2);
}

#[test]
fn removing_the_middle_leaves_two_parts_and_moves_the_backing_on() {
    let mut areas = Areas::default();
    areas.insert(area(0..4, Prot::READ, 0x10000));
    let removed = remove(&mut areas, PAGE..2 * PAGE);
    assert_eq!(removed, [area(1..2, Prot::READ, 0x10000 + PAGE)]);
    assert_eq!(areas.at(2 * PAGE).map(|area| area.backing), Some(Origin(0x10000 + 2 * PAGE)));
    assert_eq!(areas.at(PAGE), None);
}

#[test]
fn gaps_are_found_from_the_top_and_reused_after_a_removal() {
    let mut areas = Areas::default();
    let window = 0..PAGES * PAGE;
    for _ in 0..8 {
        let start = areas.find_gap(PAGE, window.clone(), 0).expect("there is room");
        // Alternating protections keep the areas apart.
        let prot = if areas.count() % 2 == 0 { Prot::READ } else { Prot::WRITE };
        areas.insert(area(start / PAGE..start / PAGE + 1, prot, 0));
    }
    assert_eq!(areas.find_gap(PAGE, window.clone(), 0), Some((PAGES - 9) * PAGE));
    remove(&mut areas, bytes(&(PAGES - 2..PAGES - 1)));
    assert_eq!(areas.find_gap(PAGE, window.clone(), 0), Some((PAGES - 2) * PAGE));
    assert_eq!(areas.find_gap(2 * PAGE, window, 0), Some((PAGES - 10) * PAGE));
}

#[test]
fn room_below_a_growing_area_keeps_the_guard() {
    let mut areas = Areas::default();
    areas.insert(Area { traits: Traits::GROWS_DOWN, ..area(40..48, Prot::WRITE, 0) });
    assert_eq!(areas.find_gap(PAGE, 0..PAGES * PAGE, 3 * PAGE), Some(36 * PAGE));
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Replaces what is in the range, as `MAP_FIXED` does.
    Map(Range<usize>, Prot, usize),
    Unmap(Range<usize>),
    Protect(Range<usize>, Prot),
    /// Maps where the search says.
    MapAnywhere(usize, Prot),
}

fn pages() -> impl Strategy<Value = Range<usize>> {
    (0..PAGES - 1).prop_flat_map(|start| (Just(start), start + 1..PAGES)).prop_map(|(start, end)| start..end)
}

fn prot() -> impl Strategy<Value = Prot> {
    any::<u32>().prop_map(Prot::from_bits_truncate)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (pages(), prot(), prop_oneof![Just(0), Just(1 << 20)]).prop_map(|(r, p, o)| Step::Map(r, p, o)),
        pages().prop_map(Step::Unmap),
        (pages(), prot()).prop_map(|(r, p)| Step::Protect(r, p)),
        (1..6usize, prot()).prop_map(|(n, p)| Step::MapAnywhere(n, p)),
    ]
}

proptest! {
    #[test]
    fn areas_agree_with_an_array_of_pages(steps in proptest::collection::vec(step(), 1..60)) {
        let mut areas = Areas::default();
        let mut model: Vec<Option<(Prot, Origin)>> = alloc::vec![None; PAGES];
        for step in steps {
            match step {
                Step::Map(range, prot, origin) => map(&mut areas, &mut model, range, prot, origin),
                Step::Unmap(range) => {
                    let there = model[range.clone()].iter().flatten().count();
                    let removed: usize = remove(&mut areas, bytes(&range)).iter().map(Area::len).sum();
                    assert_eq!(removed, there * PAGE);
                    model[range].fill(None);
                }
                Step::Protect(range, prot) => {
                    areas.update(bytes(&range), |area| area.prot = prot);
                    model[range].iter_mut().flatten().for_each(|page| page.0 = prot);
                }
                Step::MapAnywhere(len, prot) => {
                    let expected = highest_gap(&model, len);
                    let found = areas.find_gap(len * PAGE, 0..PAGES * PAGE, 0).map(|start| start / PAGE);
                    assert_eq!(found, expected);
                    if let Some(start) = found {
                        map(&mut areas, &mut model, start..start + len, prot, 0);
                    }
                }
            }
            check(&areas, &model);
        }
    }
}

fn map(
    areas: &mut Areas<Origin>,
    model: &mut [Option<(Prot, Origin)>],
    range: Range<usize>,
    prot: Prot,
    origin: usize,
) {
    remove(areas, bytes(&range));
    areas.insert(area(range.clone(), prot, origin));
    for (i, page) in model[range].iter_mut().enumerate() {
        *page = Some((prot, Origin(origin).advanced(i * PAGE)));
    }
}

fn highest_gap(model: &[Option<(Prot, Origin)>], len: usize) -> Option<usize> {
    (0..=PAGES - len).rev().find(|start| model[*start..start + len].iter().all(Option::is_none))
}

fn check(areas: &Areas<Origin>, model: &[Option<(Prot, Origin)>]) {
    for (i, page) in model.iter().enumerate() {
        let found = areas.at(i * PAGE + 7);
        assert_eq!(found.map(|area| (area.prot, area.backing.advanced(i * PAGE - area.start))), *page);
    }
    let all: Vec<_> = areas.iter().collect();
    for pair in all.windows(2) {
        assert!(pair[0].end <= pair[1].start);
        assert!(!pair[0].is_continued_by(pair[1]), "two areas that should be one: {pair:?}");
    }
    let present = model.iter().flatten().count();
    assert_eq!(areas.total(), present * PAGE);
    let writable = model.iter().flatten().filter(|page| page.0.contains(Prot::WRITE)).count();
    assert_eq!(areas.data(), writable * PAGE);
    for start in 0..PAGES {
        let end = PAGES.min(start + 5);
        let covered = model[start..end].iter().all(Option::is_some);
        assert_eq!(areas.covers(bytes(&(start..end))), covered);
        let overlapping = areas.overlapping(bytes(&(start..end))).count();
        assert_eq!(overlapping == 0, model[start..end].iter().all(Option::is_none));
    }
}
