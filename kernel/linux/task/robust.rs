//! Robust futexes: mutexes whose owner ended without releasing them.
//!
//! The C library keeps a list of the mutexes that a thread holds; the kernel walks it when the thread ends. The
//! program may have written anything into the list, so the walk is bounded and stops at the first malformed link.
//! Source: get_robust_list(2), Documentation/locking/robust-futexes.rst; Linux 6.1 kernel/futex/core.c
//! (`exit_robust_list`, `handle_futex_death`).

use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;

use super::futex::{self, Scope, Word};
use super::thread::Thread;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserAtomic, UserPtr};

/// The most links that are followed (`ROBUST_LIST_LIMIT`).
const LINKS_MOST: usize = 2048;
/// Bits of the futex word: `FUTEX_OWNER_DIED`, `FUTEX_WAITERS`, `FUTEX_TID_MASK`.
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;
const TID: u32 = 0x3fff_ffff;

/// Releases the mutexes that the current thread still holds when it ends or executes another program.
pub(crate) fn release(thread: &Thread, space: &AddressSpace) {
    let head = thread.robust_list.swap(0, Ordering::Relaxed);
    if head != 0 {
        // A malformed list is the program's own fault.
        let _ = walk(thread, space, head);
    }
}

/// Walks the list behind a `struct robust_list_head`: the first link, the distance of the futex words from their
/// links, and the link that was being added or removed.
fn walk(thread: &Thread, space: &AddressSpace, head: usize) -> Result<(), Errno> {
    let [first, distance, pending] = UserPtr::<[usize; 3]>::new(space, head).read()?;
    // The lowest bit marks a priority-inheriting mutex.
    let pending = pending & !1;
    let mut link = first & !1;
    for _ in 0..LINKS_MOST {
        if link == head {
            break;
        }
        // Read before the word is released: its new owner may free the link.
        let next = UserPtr::<usize>::new(space, link).read();
        if link != pending {
            release_word(thread, space, link.wrapping_add(distance))?;
        }
        link = next? & !1;
    }
    if pending != 0 {
        release_word(thread, space, pending.wrapping_add(distance))?;
    }
    Ok(())
}

fn release_word(thread: &Thread, space: &AddressSpace, addr: usize) -> Result<(), Errno> {
    let word = UserAtomic::new(space, addr)?;
    let mut seen = word.load()?;
    while seen & TID == thread.tid() {
        let was = word.compare_exchange(seen, seen & WAITERS | OWNER_DIED)?;
        if was == seen {
            if seen & WAITERS != 0 {
                futex::wake(Word::new(space, addr, Scope::Shared)?, 1, u32::MAX);
            }
            break;
        }
        seen = was;
    }
    Ok(())
}
