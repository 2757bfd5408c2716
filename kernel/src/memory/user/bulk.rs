//! The copies themselves, small and large.
//!
//! OSTD copies user memory through the user's own addresses with one `rep movsb`. That is right for small
//! pieces, and slow for large ones where the processor does not accelerate it. Large ones therefore find
//! the page behind the address and copy by words.
//!
//! The page is copied under the page table's lock. A handle to it that outlived the lock could see the
//! page become another process's by copy-on-write in between, and the copy would go astray.

use core::ops::Range;

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::vm_space::{Cursor, VmQueriedItem};
use ostd::mm::{FallibleVmRead, FallibleVmWrite, PageFlags, UFrame, VmReader, VmWriter};
use ostd::task::disable_preempt;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, page_down, user_range};
use super::super::space::AddressSpace;
use super::pieces::{Readers, Writers};

/// From here on looking the page up costs less than copying by bytes.
pub(super) const LARGE: usize = 768;

/// Bytes that are copied without letting go of the page table's lock.
const CHUNK: usize = 16 * PAGE_SIZE;

/// Fills `to` from `addr` on; for less than `LARGE` bytes. Less than all means that the next byte is not
/// readable.
pub(super) fn copy_in_small(space: &AddressSpace, addr: usize, to: &mut [u8]) -> usize {
    let Ok(mut reader) = space.vm().reader(addr, to.len()) else { return 0 };
    reader.read_fallible(&mut VmWriter::from(to)).unwrap_or_else(|(_, copied)| copied)
}

/// Copies `from` to `addr`; for less than `LARGE` bytes. Less than all means that the next byte is not
/// writable.
pub(super) fn copy_out_small(space: &AddressSpace, addr: usize, from: &[u8]) -> usize {
    let Ok(mut writer) = space.vm().writer(addr, from.len()) else { return 0 };
    writer.write_fallible(&mut VmReader::from(from)).unwrap_or_else(|(_, copied)| copied)
}

/// Copies at most `len` bytes at `addr` to `to`. Less than fits means that the next byte is not readable.
pub(super) fn copy_in(space: &AddressSpace, addr: usize, len: usize, mut to: Writers<'_, '_>) -> usize {
    let len = len.min(to.avail());
    walk(space, addr, len, Access::Read, |part| match part {
        Part::Small { addr, len } => {
            let Ok(mut reader) = space.vm().reader(addr, len) else { return 0 };
            to.write_fallible(&mut reader)
        }
        Part::Page { page, offset, len } => to.write(page.reader().skip(offset).limit(len)),
    })
}

/// Copies at most `len` bytes of `from` to `addr`. Less than fits means that the next byte is not writable.
pub(super) fn copy_out(space: &AddressSpace, addr: usize, len: usize, mut from: Readers<'_, '_>) -> usize {
    let len = len.min(from.remain());
    walk(space, addr, len, Access::Write, |part| match part {
        Part::Small { addr, len } => {
            let Ok(mut writer) = space.vm().writer(addr, len) else { return 0 };
            from.read_fallible(&mut writer)
        }
        Part::Page { page, offset, len } => from.read(page.writer().skip(offset).limit(len)),
    })
}

/// A piece of user memory, ready to be copied.
enum Part<'a> {
    /// A few bytes, to be touched at their address.
    Small { addr: usize, len: usize },
    /// Bytes of one page.
    Page { page: &'a UFrame, offset: usize, len: usize },
}

/// Hands out `addr..addr + len` in pieces until `copy` copies less than a piece.
fn walk(
    space: &AddressSpace,
    addr: usize,
    len: usize,
    access: Access,
    mut copy: impl FnMut(Part<'_>) -> usize,
) -> usize {
    let Some(Range { start, end }) = user_range(addr, len) else { return 0 };
    let mut next = start;
    while next < end {
        let before = next;
        if end - next >= LARGE && is_reachable(space, next) {
            let chunk_end = end.min(page_down(next) + CHUNK);
            next += walk_pages(space, next..chunk_end, access, &mut copy);
            if next < chunk_end && space.fault(next, access).is_err() {
                break;
            }
        } else {
            // The rest, or a first page whose fault fails below just as it did for the question.
            let len = (end - next).min(LARGE);
            next += copy(Part::Small { addr: next, len });
            if next - before < len {
                break;
            }
        }
    }
    next - start
}

/// Whether `addr` is mapped and readable, after faulting it in where necessary.
///
/// Asked first because looking up an address that is not mapped would build page tables for it.
fn is_reachable(space: &AddressSpace, addr: usize) -> bool {
    let word = addr & !3;
    space.vm().reader(word, 4).is_ok_and(|reader| reader.atomic_load::<u32>().is_ok())
}

/// Copies from the start of `range` as long as the pages are there and allow it; returns how much.
fn walk_pages(
    space: &AddressSpace,
    range: Range<usize>,
    access: Access,
    copy: &mut impl FnMut(Part<'_>) -> usize,
) -> usize {
    let guard = disable_preempt();
    let pages = page_down(range.start)..page_down(range.end + PAGE_SIZE - 1);
    let Ok(mut cursor) = space.vm().cursor(&guard, &pages) else { return 0 };
    let mut next = range.start;
    while next < range.end {
        let offset = next % PAGE_SIZE;
        let len = (range.end - next).min(PAGE_SIZE - offset);
        let copied =
            copy_page(&mut cursor, next - offset, access, |page| copy(Part::Page { page, offset, len }));
        next += copied;
        if copied < len {
            break;
        }
    }
    next - range.start
}

fn copy_page(
    cursor: &mut Cursor<'_>,
    page: usize,
    access: Access,
    copy: impl FnOnce(&UFrame) -> usize,
) -> usize {
    let needed = if access == Access::Write { PageFlags::RW } else { PageFlags::R };
    if cursor.jump(page).is_err() {
        return 0;
    }
    match cursor.query() {
        Ok((_, Some(VmQueriedItem::MappedRam { frame, prop }))) if prop.flags.contains(needed) => {
            copy(&frame)
        }
        _ => 0,
    }
}
