//! System calls on the caller's memory.
//!
//! Owns: arguments and their errors, in the order in which Linux checks them.
//! Not here: the operations (`memory::space`).
//! Source: mmap(2), mprotect(2), mremap(2), brk(2), madvise(2), mincore(2), msync(2); Linux 6.1 mm/.

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::{
    Advice, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_TYPE, MapFlags, PROT_GROWSDOWN, PROT_GROWSUP,
    PROT_SEM, Prot, RemapFlags, SyncFlags,
};
use rules::machine::vma::Traits;

use crate::machine::memory::budget;
use crate::machine::memory::layout::{PAGE_SIZE, TASK_SIZE, page_down, page_up};
use crate::machine::memory::pages::{Mappable, SharedMapping};
use crate::machine::memory::shared::SharedPages;
use crate::machine::memory::space::{AddressSpace, Backing, MapRequest, Move, Placement};
use crate::machine::memory::user::UserSlice;
use crate::machine::pause::{Killed, pause_unless_killed};

type SysResult = Result<usize, Errno>;

/// mmap(2). `file` looks up the descriptor (`EBADF`); it is called only for a mapping of a file. `may_lock` checks
/// whether so many more bytes may be locked (`EAGAIN`); it is called only for a mapping that will be.
pub(crate) fn mmap(
    space: &AddressSpace,
    addr: usize,
    len: usize,
    prot: u32,
    flags: u32,
    file: impl FnOnce() -> Result<Mappable, Errno>,
    offset: u64,
    may_lock: impl FnOnce(usize) -> Result<(), Errno>,
) -> SysResult {
    let page = PAGE_SIZE as u64;
    if !offset.is_multiple_of(page) {
        return Err(Errno::EINVAL);
    }
    let kind = flags & MAP_TYPE;
    let known = MapFlags::from_bits_truncate(flags);
    let file = if known.contains(MapFlags::ANONYMOUS) { None } else { Some(file()?) };
    if known.contains(MapFlags::HUGETLB) {
        // Files have no huge pages here, and the pool of huge pages is empty.
        return Err(if file.is_some() { Errno::EINVAL } else { Errno::ENOMEM });
    }
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let len = page_up(len).ok_or(Errno::ENOMEM)?;
    let index = offset / page;
    index.checked_add(len as u64 / page).ok_or(Errno::EOVERFLOW)?;
    if len > TASK_SIZE {
        return Err(Errno::ENOMEM);
    }
    let placement = placement(addr, known);
    let prot = Prot::from_bits_truncate(prot);
    let mut traits = Traits::empty();
    traits.set(Traits::GROWS_DOWN, known.contains(MapFlags::GROWSDOWN));
    traits.set(Traits::LOCKED, known.contains(MapFlags::LOCKED));
    let backing = match file {
        Some(file) => file_backing(file, kind, flags, prot, traits, index, len),
        None => anonymous_backing(kind, traits),
    };
    let (backing, max_prot) = match backing {
        Ok(backing) => backing,
        // Linux reports a bad address first.
        Err(error) => return space.check_place(placement, len).and(Err(error)),
    };
    let promised = prot.contains(Prot::WRITE) && !matches!(backing, Backing::Shared { .. })
        || matches!(backing, Backing::Shared { .. }) && known.contains(MapFlags::ANONYMOUS);
    if promised && !known.contains(MapFlags::NORESERVE) && len > budget::total() {
        return Err(Errno::ENOMEM);
    }
    if known.contains(MapFlags::LOCKED) || space.locks_future() {
        may_lock(len)?;
    }
    let start = space.map(MapRequest { placement, len, prot, max_prot, traits, backing })?;
    let populate = known.contains(MapFlags::POPULATE) && !known.contains(MapFlags::NONBLOCK);
    if populate || known.contains(MapFlags::LOCKED) || space.locks_future() {
        space.prefault(start..start + len);
    }
    Ok(start)
}

fn placement(addr: usize, flags: MapFlags) -> Placement {
    if flags.contains(MapFlags::FIXED_NOREPLACE) {
        Placement::IfFree(addr)
    } else if flags.contains(MapFlags::FIXED) {
        Placement::Replacing(addr)
    } else if flags.contains(MapFlags::BIT32) {
        Placement::Low(addr)
    } else {
        Placement::Anywhere(addr)
    }
}

fn anonymous_backing(kind: u32, traits: Traits) -> Result<(Backing, Prot), Errno> {
    let backing = match kind {
        MAP_PRIVATE => Backing::Anonymous,
        MAP_SHARED if !traits.contains(Traits::GROWS_DOWN) => {
            Backing::Shared { pages: SharedPages::new_shared(), index: 0, hold: None }
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok((backing, Prot::all()))
}

/// Checks the access mode of the descriptor; returns the backing and the most protection that mprotect(2) may give.
fn file_backing(
    file: Mappable,
    kind: u32,
    flags: u32,
    prot: Prot,
    traits: Traits,
    index: u64,
    len: usize,
) -> Result<(Backing, Prot), Errno> {
    /// `s_maxbytes` in pages: file offsets are signed.
    const INDEX_MAX: u64 = i64::MAX as u64 / PAGE_SIZE as u64;
    if index + len as u64 / PAGE_SIZE as u64 > INDEX_MAX {
        return Err(Errno::EOVERFLOW);
    }
    let shared = match kind {
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL),
    };
    let unknown = flags & !(MAP_TYPE | (MapFlags::all() - MapFlags::SYNC).bits());
    if kind == MAP_SHARED_VALIDATE && (unknown != 0 || flags & MapFlags::FIXED_NOREPLACE.bits() != 0) {
        return Err(Errno::EOPNOTSUPP);
    }
    if shared && prot.contains(Prot::WRITE) && !file.writable || !file.readable {
        return Err(Errno::EACCES);
    }
    let pages = file.pages?;
    if traits.contains(Traits::GROWS_DOWN) {
        return Err(Errno::EINVAL);
    }
    if !shared {
        return Ok((Backing::Private { pages, index }, Prot::all()));
    }
    let mut hold = None;
    let mut is_read_only = !file.writable;
    if file.writable {
        SharedMapping { hold, is_read_only } = pages.clone().share(prot.contains(Prot::WRITE))?;
    }
    let max_prot = if is_read_only { Prot::all() - Prot::WRITE } else { Prot::all() };
    Ok((Backing::Shared { pages, index, hold }, max_prot))
}

/// munmap(2).
pub(crate) fn munmap(space: &AddressSpace, addr: usize, len: usize) -> SysResult {
    space.unmap(addr, len).map(|()| 0)
}

/// mprotect(2).
pub(crate) fn mprotect(space: &AddressSpace, addr: usize, len: usize, prot: u32) -> SysResult {
    let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || page_down(addr) != addr {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let Range { mut start, end } = nonempty_pages(addr, len)?;
    let prot = Prot::from_bits(prot & !(PROT_SEM | grows)).ok_or(Errno::EINVAL)?;
    match grows {
        PROT_GROWSDOWN => start = space.growing_area_start(start..end)?,
        PROT_GROWSUP => return Err(Errno::EINVAL),
        _ => {}
    }
    space.protect(start..end, prot).map(|()| 0)
}

/// mremap(2).
pub(crate) fn mremap(
    space: &AddressSpace,
    old_addr: usize,
    old_len: usize,
    new_len: usize,
    flags: u32,
    new_addr: usize,
    may_lock: impl FnOnce(usize) -> Result<(), Errno>,
) -> SysResult {
    let flags = RemapFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let may_move = flags.contains(RemapFlags::MAYMOVE);
    let fixed = flags.contains(RemapFlags::FIXED);
    let stays = flags.contains(RemapFlags::DONTUNMAP);
    if (fixed || stays) && !may_move || stays && old_len != new_len {
        return Err(Errno::EINVAL);
    }
    let to = match (fixed, stays) {
        (true, true) => Move::LeavingTo(new_addr),
        (true, false) => Move::To(new_addr),
        (false, true) => Move::Leaving(new_addr),
        (false, false) if may_move => Move::IfNeeded,
        (false, false) => Move::Never,
    };
    // As on Linux, a length wraps to zero if it cannot be rounded up.
    let old_len = page_up(old_len).unwrap_or(0);
    let new_len = page_up(new_len).unwrap_or(0);
    if new_len > old_len && space.locked(old_addr..old_addr.saturating_add(1)) > 0 {
        may_lock(new_len - old_len)?;
    }
    space.remap(old_addr, old_len, new_len, to)
}

/// brk(2). Returns the end of the heap, whether or not it moved; libc turns the latter into `ENOMEM`.
pub(crate) fn brk(space: &AddressSpace, end: usize) -> SysResult {
    Ok(space.brk(end))
}

/// madvise(2).
pub(crate) fn madvise(space: &AddressSpace, addr: usize, len: usize, advice: i32) -> SysResult {
    let advice = Advice::from_number(advice).ok_or(Errno::EINVAL)?;
    if page_down(addr) != addr {
        return Err(Errno::EINVAL);
    }
    let len = page_up(len).ok_or(Errno::EINVAL)?;
    let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
    space.advise(addr..end, advice).map(|()| 0)
}

/// mincore(2).
pub(crate) fn mincore(space: &AddressSpace, addr: usize, len: usize, vector: usize) -> SysResult {
    /// Answers that are copied out at a time.
    const PIECE: usize = 256;
    if page_down(addr) != addr {
        return Err(Errno::EINVAL);
    }
    let end = addr.checked_add(len).filter(|end| *end <= TASK_SIZE).ok_or(Errno::ENOMEM)?;
    let pages = len.div_ceil(PAGE_SIZE);
    let vector = UserSlice::new(space, vector, pages)?;
    let mut answers = [0; PIECE];
    let (mut page, mut answered) = (addr, 0);
    while page < end {
        let wanted = PIECE.min(pages - answered);
        let got = space.mincore(page, &mut answers[..wanted])?;
        vector.part(answered, got).write_bytes(&answers[..got])?;
        answered += got;
        page += got * PAGE_SIZE;
        pause_unless_killed().map_err(|Killed| Errno::EINTR)?;
    }
    Ok(0)
}

/// msync(2). Writes to a shared mapping change the file's contents at once, so this does nothing more.
pub(crate) fn msync(space: &AddressSpace, addr: usize, len: usize, flags: u32) -> SysResult {
    let flags = SyncFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if page_down(addr) != addr || flags.contains(SyncFlags::ASYNC | SyncFlags::SYNC) {
        return Err(Errno::EINVAL);
    }
    // As on Linux, a length wraps to zero if it cannot be rounded up.
    let end = addr.checked_add(page_up(len).unwrap_or(0)).ok_or(Errno::ENOMEM)?;
    if flags.contains(SyncFlags::INVALIDATE) && space.has_locked(addr..end) {
        return Err(Errno::EBUSY);
    }
    if space.covers(addr..end) { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// Returns the pages of a range, which must be page-aligned and not empty.
fn nonempty_pages(start: usize, len: usize) -> Result<Range<usize>, Errno> {
    let end = page_up(len).and_then(|len| start.checked_add(len)).ok_or(Errno::ENOMEM)?;
    if start < end { Ok(start..end) } else { Err(Errno::ENOMEM) }
}
