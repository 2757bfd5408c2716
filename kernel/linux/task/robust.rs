//! Robust futexes: mutexes whose owner ends without releasing them.
//!
//! The C library keeps a list of what a thread holds; the kernel walks it when the thread ends. The list is the
//! program's to write, so it may be anything: it is followed for a bounded number of steps, and what does not fit ends
//! the walk.
//! Source: get_robust_list(2), Documentation/locking/robust-futexes.rst; Linux 6.1 kernel/futex/core.c
//! (`exit_robust_list`, `handle_futex_death`).

use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;

use super::futex::{self, Scope, Word};
use super::thread::Thread;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserAtomic, UserPtr};

/// Links that are followed at most (`ROBUST_LIST_LIMIT`).
const LINKS_MOST: usize = 2048;
/// The futex word: the owner is gone, somebody waits, the owner's thread ID.
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;
const TID: u32 = 0x3fff_ffff;

/// Releases what the current thread, which ends or runs another program, still holds.
pub(crate) fn release(thread: &Thread, space: &AddressSpace) {
    let head = thread.robust_list.swap(0, Ordering::Relaxed);
    if head != 0 {
        // A list that leads nowhere is the program's loss.
        let _ = walk(thread, space, head);
    }
}

/// Follows `struct robust_list_head`: the first link, the words' distance from the links, the link that was about to be
/// added or removed.
fn walk(thread: &Thread, space: &AddressSpace, head: usize) -> Result<(), Errno> {
    let [first, distance, pending] = UserPtr::<[usize; 3]>::new(space, head).read()?;
    // The lowest bit marks a priority-inheriting mutex.
    let pending = pending & !1;
    let mut link = first & !1;
    for _ in 0..LINKS_MOST {
        if link == head {
            break;
        }
        // Read before the word is touched: its new owner may take the link away.
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
