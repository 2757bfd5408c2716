//! A cache of pages for pipes.
//!
//! Owns: some free pages for each CPU.   Not here: which page holds what (`rules::core::pipe`).
//! Lock: a leaf, taken under the lock of a pipe; no lock is taken and no memory copied under it.
//!
//! Allocating and clearing a page takes longer than filling it by a copy. A page of the cache needs neither, because
//! a pipe only returns bytes that were written to it. Linux keeps a spare page in each pipe instead, which costs
//! memory for every idle pipe and helps with one page at a time only.

use alloc::boxed::Box;

use ostd::sync::SpinLock;
use rules::core::pipe::{PAGE_SIZE, Page, Pages};
use rules::machine::fallible;

use crate::machine::per_cpu::{CPUS, CacheLines, PerCpu};

/// The most free pages of one CPU: two full pipes.
const MOST: usize = 32;

struct FreeList {
    pages: [Option<Page>; MOST],
    len: usize,
}

static FREE_LISTS: PerCpu<SpinLock<FreeList>> = PerCpu::new(
    [const { CacheLines(SpinLock::new(FreeList { pages: [const { None }; MOST], len: 0 })) }; CPUS],
);

/// The allocator of pipes' pages.
pub(crate) struct PagePool;

impl Pages for PagePool {
    fn allocate(&mut self) -> Option<Page> {
        FREE_LISTS.get().lock().pop().or_else(allocate_page)
    }

    fn free(&mut self, page: Page) {
        let surplus = FREE_LISTS.get().lock().push(page);
        drop(surplus);
    }
}

impl FreeList {
    fn pop(&mut self) -> Option<Page> {
        self.len = self.len.checked_sub(1)?;
        self.pages[self.len].take()
    }

    /// Keeps `page`, or returns it if there is no room.
    fn push(&mut self, page: Page) -> Option<Page> {
        let Some(place) = self.pages.get_mut(self.len) else { return Some(page) };
        *place = Some(page);
        self.len += 1;
        None
    }
}

fn allocate_page() -> Option<Page> {
    Box::try_from(fallible::zeroes(PAGE_SIZE).ok()?).ok()
}
