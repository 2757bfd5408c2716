//! The areas of an address space: which addresses are mapped, and how.
//!
//! Owns: the ordered set of areas and the search for free room.   Not here: pages, page tables, files.
//! Invariant: areas are non-empty, page-aligned, disjoint; two neighbours that could be one area are one.
//! Source: mmap(2); Linux 6.1 mm/mmap.c (`vma_merge`, `unmapped_area_topdown`).

mod area;
mod gap;
mod set;

#[cfg(test)]
mod tests;

pub use area::{Area, Backing, Traits};
pub use set::Areas;
