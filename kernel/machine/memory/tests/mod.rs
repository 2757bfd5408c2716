//! Address spaces and copies on real page tables, tested inside the kernel.

mod copies;
mod exhaustion;
mod faults;
mod fork;
mod remap;

use alloc::sync::Arc;

use ostd::sync::SpinLock;
use ostd::task::{Task, TaskOptions};
use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;

use super::layout::PAGE_SIZE;
use super::limits::Limits;
use super::space::{AddressSpace, MapRequest, Placement};
use super::user::UserPtr;
use super::{budget, fault};

const READ_WRITE: Prot = Prot::READ.union(Prot::WRITE);

static CURRENT: SpinLock<Option<Arc<AddressSpace>>> = SpinLock::new(None);

/// Makes `space` the current task's.
fn enter(space: &Arc<AddressSpace>) {
    ostd::arch::trap::inject_user_page_fault_handler(|exception| {
        let space = CURRENT.lock().clone().ok_or(())?;
        fault::resolve_kernel_fault(exception, &space)
    });
    let before = CURRENT.lock().replace(space.clone());
    space.activate();
    drop(before);
}

/// Makes a new address space and activates it.
fn new_space() -> Arc<AddressSpace> {
    // The tests run in place of the kernel's start.
    budget::start(None);
    let space = AddressSpace::new(Limits::default()).unwrap();
    enter(&space);
    space
}

/// Maps `pages` of private zeroes.
fn map_pages(space: &AddressSpace, pages: usize) -> usize {
    map_at(space, Placement::Anywhere(0), pages)
}

fn map_at(space: &AddressSpace, placement: Placement, pages: usize) -> usize {
    space.map(MapRequest::anonymous(placement, pages * PAGE_SIZE, READ_WRITE)).unwrap()
}

fn read(space: &AddressSpace, addr: usize) -> Result<u64, Errno> {
    UserPtr::new(space, addr).read()
}

fn write(space: &AddressSpace, addr: usize, value: u64) -> Result<(), Errno> {
    UserPtr::new(space, addr).write(&value)
}

/// Makes OSTD free unmapped pages: two task switches.
fn quiesce() {
    for _ in 0..2 {
        let _task = TaskOptions::new(|| ()).spawn().unwrap();
        Task::yield_now();
    }
}
