//! The locks that a thread leaves behind: the robust list is walked when it ends.
//!
//! Each word on the list that holds the thread's ID is marked with `FUTEX_OWNER_DIED`, and one who waits for it is
//! woken. The list is the program's: everything in it may be wrong, and it may go round in circles.
//! Source: get_robust_list(2), Linux 6.1 kernel/futex/core.c (`exit_robust_list`).

use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::futex::{self, Scope, Word};
use super::thread::Thread;
use crate::memory::space::AddressSpace;
use crate::memory::user::{UserAtomic, UserPtr};

/// `ROBUST_LIST_LIMIT`.
const LIMIT: usize = 2048;
const TID: u32 = 0x3fff_ffff;
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;
/// The lowest bit of a pointer says that the lock inherits priorities, which none here does.
const KIND: usize = 1;

/// Gives up the locks on the robust list of the current thread, which ends.
pub(super) fn release(thread: &Thread, space: &AddressSpace) {
    let head = thread.robust_list.load(Ordering::Relaxed);
    if head != 0 {
        // A list that cannot be read ends where it cannot.
        let _ = walk(thread.tid(), space, head);
    }
}

fn walk(tid: u32, space: &AddressSpace, head: usize) -> Result<(), Errno> {
    let [first, offset, pending] = UserPtr::<[usize; 3]>::new(space, head).read()?;
    let mut entry = first;
    for _ in 0..LIMIT {
        if entry & !KIND == head {
            break;
        }
        // Read before the lock is given up: then the memory may be another's.
        let next = UserPtr::<usize>::new(space, entry & !KIND).read();
        if entry != pending {
            mark(tid, space, (entry & !KIND).wrapping_add(offset))?;
        }
        entry = next?;
    }
    match pending & !KIND {
        0 => Ok(()),
        pending => mark(tid, space, pending.wrapping_add(offset)),
    }
}

fn mark(tid: u32, space: &AddressSpace, addr: usize) -> Result<(), Errno> {
    let is_own = |word: u32| word & TID == tid;
    let died = |word: u32| if is_own(word) { word & WAITERS | OWNER_DIED } else { word };
    let was = UserAtomic::new(space, addr)?.update(died)?;
    if is_own(was) && was & WAITERS != 0 {
        futex::wake(Word { space, addr, scope: Scope::Shared }, 1, u32::MAX)?;
    }
    Ok(())
}
