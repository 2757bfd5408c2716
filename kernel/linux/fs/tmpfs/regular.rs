//! The contents of a regular file, as pages; a page exists once it was written.
//!
//! Owns: the pages and the length.   Not here: offsets of open files, times (the inode's), user memory.
//! Invariant: bytes beyond the length are zero in every page; an absent page reads as zeros.
//! Locks: `writing` is held for a whole write or truncation, even while bytes are copied from user memory (a page
//! fault needs only `contents`); `contents` is a spin lock and is never held during such a copy.
//! Source: Linux 6.1 mm/shmem.c, mm/filemap.c (`generic_perform_write`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Slot;
use alloc::vec::Vec;
use core::ops::Range;

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{PAGE_SIZE, UFrame};
use ostd::sync::{Mutex, SpinLock};
use rules::abi::errno::Errno;
use rules::core::seek::{OFFSET_MAX, Whence};
use rules::linux::seals::{Sealing, Seals, Sharing};

use super::superblock::Superblock;
use crate::machine::memory::budget;
use crate::machine::memory::pages::PageError;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::pause::pause;

/// The contents of a regular inode.
pub(crate) struct Regular {
    writing: Mutex<()>,
    contents: SpinLock<Contents>,
}

struct Contents {
    size: u64,
    pages: BTreeMap<u64, UFrame>,
    /// The name and seals of a file from memfd_create(2).
    sealed: Option<Box<Sealed>>,
}

/// What a file from memfd_create(2) has besides its contents.
struct Sealed {
    name: Box<[u8]>,
    sealing: Sealing,
}

const PAGE: u64 = PAGE_SIZE as u64;

/// Where a write begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// At this offset.
    At(u64),
    /// At the end of the file when the write's turn comes.
    End,
}

impl Regular {
    /// Makes empty contents.
    pub(crate) const fn new() -> Self {
        let contents = Contents { size: 0, pages: BTreeMap::new(), sealed: None };
        Self { writing: Mutex::new(()), contents: SpinLock::new(contents) }
    }

    /// Makes the empty contents of a file from memfd_create(2).
    pub(crate) fn sealed(name: &[u8], seals: Seals) -> Self {
        let sealed = Box::new(Sealed { name: name.into(), sealing: Sealing::new(seals) });
        let contents = Contents { size: 0, pages: BTreeMap::new(), sealed: Some(sealed) };
        Self { writing: Mutex::new(()), contents: SpinLock::new(contents) }
    }

    /// Returns the name that memfd_create(2) was given.
    pub(crate) fn name(&self) -> Option<Vec<u8>> {
        self.contents.lock().sealed.as_ref().map(|sealed| sealed.name.to_vec())
    }

    /// Calls `change` with the seals; no write is in progress meanwhile.
    ///
    /// # Errors
    /// `EINVAL`: the file has no seals. Those of `change`.
    pub(crate) fn with_seals<R>(
        &self,
        change: impl FnOnce(&mut Sealing) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let _turn = self.writing.lock();
        let mut contents = self.contents.lock();
        change(&mut contents.sealed.as_mut().ok_or(Errno::EINVAL)?.sealing)
    }

    /// Begins a shared mapping: [`Sealing::map`]. A file without seals is [`Sharing::Free`] and is not counted.
    ///
    /// # Errors
    /// `EPERM`: a seal forbids it.
    pub(crate) fn share(&self, writes: bool) -> Result<Option<Sharing>, Errno> {
        let mut contents = self.contents.lock();
        contents.sealed.as_mut().map(|sealed| sealed.sealing.map(writes)).transpose()
    }

    /// Ends a shared mapping that [`share`](Self::share) began.
    pub(crate) fn unshare(&self) {
        if let Some(sealed) = &mut self.contents.lock().sealed {
            sealed.sealing.unmap();
        }
    }

    /// Returns the length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.contents.lock().size
    }

    /// Returns how many pages are present.
    pub(crate) fn pages(&self) -> u64 {
        self.contents.lock().pages.len() as u64
    }

    /// Copies bytes from `offset` on to `to` until either ends, and returns how many.
    ///
    /// # Errors
    /// `EFAULT`: not even one byte could be copied.
    pub(crate) fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        while to.remaining() > 0 {
            let at = offset.saturating_add(done as u64);
            let (page, wanted) = {
                let contents = self.contents.lock();
                let wanted = in_page(at, contents.size.saturating_sub(at), to.remaining());
                if wanted == 0 {
                    break;
                }
                (contents.pages.get(&(at / PAGE)).cloned(), wanted)
            };
            let put = match page {
                Some(page) => to.put_from(page.reader().skip(skip(at)).limit(wanted)),
                None => to.put(&ZEROS[..wanted]),
            };
            done += put;
            pause_between_pages(at / PAGE);
            if put < wanted {
                return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
            }
        }
        Ok(done)
    }

    /// Writes all of `from` at `position`; returns where the write began and how many bytes it wrote.
    ///
    /// # Errors
    /// Nothing was written. `EFAULT`: not even one byte could be read. `EFBIG`: the file would exceed the largest
    /// offset. `ENOSPC`: the file system has no pages left. A write that fails after its first byte returns the count
    /// instead.
    pub(crate) fn write(
        &self,
        superblock: &Superblock,
        position: Position,
        from: &mut dyn Source,
    ) -> Result<(u64, usize), Errno> {
        let _turn = self.writing.lock();
        let offset = match position {
            Position::At(offset) => offset,
            Position::End => self.size(),
        };
        let mut done = 0;
        while from.remaining() > 0 {
            let at = offset.saturating_add(done as u64);
            let taken = self.write_in_page(superblock, at, from);
            pause_between_pages(at / PAGE);
            match taken {
                Ok(taken) => done += taken,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok((offset, done))
    }

    fn write_in_page(&self, superblock: &Superblock, at: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        let wanted = in_page(at, OFFSET_MAX.saturating_sub(at), from.remaining());
        if wanted == 0 {
            return Err(Errno::EFBIG);
        }
        self.contents.lock().check(|sealing, size| sealing.check_write(at + wanted as u64, size))?;
        let page = self.page_for_writing(superblock, at / PAGE)?;
        let taken = from.take_into(page.writer().skip(skip(at)).limit(wanted));
        if taken == 0 {
            return Err(Errno::EFAULT);
        }
        let mut contents = self.contents.lock();
        contents.size = contents.size.max(at + taken as u64);
        Ok(taken)
    }

    /// Returns the page with that index, if it is present; holes and pages beyond the end are not.
    pub(crate) fn present_page(&self, index: u64) -> Option<UFrame> {
        self.contents.lock().pages.get(&index).cloned()
    }

    /// Returns the page with that index for a mapping; a hole is filled with a page of zeros.
    ///
    /// # Errors
    /// [`PageError`]: the file ends before the page, or no page is left.
    pub(crate) fn mapped_page(&self, superblock: &Superblock, index: u64) -> Result<UFrame, PageError> {
        {
            let contents = self.contents.lock();
            contents.check_within(index)?;
            if let Some(page) = contents.pages.get(&index) {
                return Ok(page.clone());
            }
        }
        let page = new_page(superblock).map_err(|_| PageError::OutOfMemory)?;
        let mut contents = self.contents.lock();
        // The file may have been truncated meanwhile.
        let still_within = contents.check_within(index);
        let present = if still_within.is_ok() { contents.insert(index, page) } else { Err(page) };
        drop(contents);
        match present {
            Ok(page) => Ok(page),
            Err(page) => {
                superblock.pages.refund(1);
                still_within.map(|()| page)
            }
        }
    }

    fn page_for_writing(&self, superblock: &Superblock, index: u64) -> Result<UFrame, Errno> {
        if let Some(page) = self.present_page(index) {
            return Ok(page);
        }
        let page = new_page(superblock)?;
        let present = self.contents.lock().insert(index, page);
        Ok(present.unwrap_or_else(|page| {
            superblock.pages.refund(1);
            page
        }))
    }

    /// Truncates the file to `size` bytes, or extends it with a hole.
    ///
    /// # Errors
    /// Nothing was changed. `EFBIG`: beyond the largest offset. `EPERM`: a seal forbids it.
    pub(crate) fn truncate(&self, superblock: &Superblock, size: u64) -> Result<(), Errno> {
        if size > OFFSET_MAX {
            return Err(Errno::EFBIG);
        }
        let _turn = self.writing.lock();
        let mut contents = self.contents.lock();
        contents.check(|sealing, before| sealing.check_length(size, before))?;
        let cut = if size < contents.size {
            if let Some(last) = contents.pages.get(&(size / PAGE)) {
                let mut tail = last.writer();
                tail.skip(skip(size));
                let length = tail.avail();
                tail.fill_zeros(length);
            }
            contents.pages.split_off(&size.div_ceil(PAGE))
        } else {
            BTreeMap::new()
        };
        contents.size = size;
        drop(contents);
        superblock.pages.refund(cut.len() as u64);
        Ok(())
    }

    /// Allocates every absent page of a range of bytes.
    ///
    /// # Errors
    /// `EPERM`: a seal forbids it. `ENOSPC`, `ENOMEM`: pages that were added stay; like holes, they read as zeros.
    pub(crate) fn fill_holes(&self, superblock: &Superblock, bytes: Range<u64>) -> Result<(), Errno> {
        let _turn = self.writing.lock();
        self.contents.lock().check(|sealing, size| sealing.check_growth(bytes.end, size))?;
        for index in bytes.start / PAGE..bytes.end.div_ceil(PAGE) {
            self.page_for_writing(superblock, index)?;
            pause_between_pages(index);
        }
        Ok(())
    }

    /// Extends the file to `size`, unless it is longer.
    pub(crate) fn extend(&self, size: u64) {
        let _turn = self.writing.lock();
        let mut contents = self.contents.lock();
        contents.size = contents.size.max(size);
    }

    /// Makes a hole of `length` bytes at `offset`; the length of the file does not change.
    ///
    /// # Errors
    /// `EPERM`: a seal forbids it.
    pub(crate) fn punch_hole(&self, superblock: &Superblock, offset: u64, length: u64) -> Result<(), Errno> {
        let _turn = self.writing.lock();
        let end = offset.saturating_add(length);
        let mut contents = self.contents.lock();
        contents.check(|sealing, _| sealing.check_change())?;
        let mut next = offset / PAGE;
        // One at a time: a list of them would need memory in order to give memory back.
        while let Some((&index, page)) = contents.pages.range(next..end.div_ceil(PAGE)).next() {
            next = index + 1;
            let from = offset.max(index * PAGE);
            let to = end.min((index + 1).saturating_mul(PAGE));
            if to - from == PAGE {
                drop(contents.pages.remove(&index));
                superblock.pages.refund(1);
            } else {
                page.writer().skip(skip(from)).fill_zeros((to - from) as usize);
            }
        }
        Ok(())
    }

    /// Resolves `SEEK_DATA` and `SEEK_HOLE`: present pages are data, absent ones are holes.
    ///
    /// # Errors
    /// `ENXIO`: `offset` is at or behind the end, or only a hole follows.
    pub(crate) fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let contents = self.contents.lock();
        let size = contents.size;
        let from = u64::try_from(offset).ok().filter(|from| *from < size).ok_or(Errno::ENXIO)?;
        if whence == Whence::Data {
            let (&page, _) = contents.pages.range(from / PAGE..).next().ok_or(Errno::ENXIO)?;
            return Some(from.max(page * PAGE)).filter(|data| *data < size).ok_or(Errno::ENXIO);
        }
        let mut hole = from / PAGE;
        for (&page, _) in contents.pages.range(hole..) {
            if page != hole {
                break;
            }
            hole += 1;
        }
        Ok(from.max(hole * PAGE).min(size))
    }
}

impl Contents {
    /// Checks the seals, if there are any; `allow` also gets the length.
    fn check(&self, allow: impl FnOnce(&Sealing, u64) -> Result<(), Errno>) -> Result<(), Errno> {
        self.sealed.as_ref().map_or(Ok(()), |sealed| allow(&sealed.sealing, self.size))
    }

    fn check_within(&self, index: u64) -> Result<(), PageError> {
        if index < self.size.div_ceil(PAGE) { Ok(()) } else { Err(PageError::BeyondEnd) }
    }

    /// Puts `page` into a hole. If a page fault or a write filled it first, that page is the error.
    fn insert(&mut self, index: u64, page: UFrame) -> Result<UFrame, UFrame> {
        match self.pages.entry(index) {
            Slot::Vacant(slot) => Ok(slot.insert(page).clone()),
            Slot::Occupied(slot) => Err(slot.get().clone()),
        }
    }
}

/// Allocates a page of zeros and charges it to `superblock`.
fn new_page(superblock: &Superblock) -> Result<UFrame, Errno> {
    superblock.pages.charge()?;
    budget::zeroed_page().inspect_err(|_| superblock.pages.refund(1))
}

/// Lets other tasks run now and then: the kernel is preempted only where it says so, and a file may be long.
fn pause_between_pages(index: u64) {
    /// As many as take some tens of microseconds to copy.
    const PAGES: u64 = 16;
    if index % PAGES == PAGES - 1 {
        pause();
    }
}

static ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// Returns the position of an offset within its page.
fn skip(at: u64) -> usize {
    (at % PAGE) as usize
}

/// Returns how much of `available` and `wanted` bytes lies in the page of `at`.
fn in_page(at: u64, available: u64, wanted: usize) -> usize {
    let room = PAGE - at % PAGE;
    room.min(available).min(wanted as u64) as usize
}
