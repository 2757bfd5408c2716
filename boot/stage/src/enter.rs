//! Jumps into the kernel.
//!
//! The protocol requires identity-mapped memory. So the lower half of the address space becomes an identity map
//! of the first 4 GiB, while the upper half, in which the stage runs, stays unchanged.

use core::{arch::asm, ops::Range};

use x86_64::registers::control::Cr3;

use crate::physical::Physical;

const PAGE: u64 = 4096;
const GIBIBYTES: u64 = 4;

/// One table of level 4, one of level 3, and one of level 2 for each gibibyte.
pub(crate) const TABLES_LENGTH: u64 = (2 + GIBIBYTES) * PAGE;

const PRESENT_AND_WRITABLE: u64 = 0b11;
const HUGE: u64 = 1 << 7;

/// Enters the kernel with the physical address of its boot parameters.
pub(crate) fn kernel(memory: &mut Physical, tables: Range<u64>, entry: u64, params: u64) -> ! {
    let root = identity_map(memory, tables.start);
    // SAFETY: the new tables map the stage as the old ones did, and the first 4 GiB to themselves. The entry
    // lies there, as `Kernel::parse` has checked, and so do the parameters. The kernel never returns; it brings
    // its own stack, tables and descriptors. The protocol passes the parameters in rsi.
    unsafe {
        asm!(
            "cli",
            "cld",
            "mov cr3, {root}",
            "jmp {entry}",
            root = in(reg) root,
            entry = in(reg) entry,
            in("rsi") params,
            options(noreturn, nostack),
        )
    }
}

/// Writes the tables, and returns the address of the first.
fn identity_map(memory: &mut Physical, start: u64) -> u64 {
    let page = |number: u64| start + number * PAGE..start + (number + 1) * PAGE;
    let (level_4, level_3) = (page(0), page(1));
    let mut top: [u8; PAGE as usize] = memory.read(Cr3::read().0.start_address().as_u64());
    let (lower, _) = top.split_at_mut(PAGE as usize / 2);
    lower.fill(0);
    lower[..8].copy_from_slice(&(level_3.start | PRESENT_AND_WRITABLE).to_le_bytes());
    memory.write(&level_4, &top);
    let gibibytes = table(|entry| match entry {
        0..GIBIBYTES => page(2 + entry).start | PRESENT_AND_WRITABLE,
        _ => 0,
    });
    memory.write(&level_3, &gibibytes);
    for gibibyte in 0..GIBIBYTES {
        let pages = table(|entry| gibibyte << 30 | entry << 21 | PRESENT_AND_WRITABLE | HUGE);
        memory.write(&page(2 + gibibyte), &pages);
    }
    level_4.start
}

/// Makes a page table with these entries.
fn table(entry: impl Fn(u64) -> u64) -> [u8; PAGE as usize] {
    let mut bytes = [0; PAGE as usize];
    for (number, place) in (0..).zip(bytes.chunks_exact_mut(8)) {
        place.copy_from_slice(&entry(number).to_le_bytes());
    }
    bytes
}
