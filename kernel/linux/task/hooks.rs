//! Saves and loads what a task switch changes: FPU registers, segment bases, the address space.
//!
//! The kernel is compiled without FPU instructions, so a thread's FPU state stays in the registers during system calls
//! and is saved only when another thread may run.

use ostd::arch::cpu::context::{FsBase, GsBase};
use ostd::arch::trap::inject_user_page_fault_handler;
use ostd::irq::{DisabledLocalIrqGuard, disable_local};
use ostd::task::{inject_post_schedule_handler, inject_pre_schedule_handler};

use super::registers;
use super::registers::Local;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::{budget, fault};
use crate::machine::pause;

/// Memory is short below this many bytes: a fault may not find a page and the tables for it.
const SHORT: usize = 8 * PAGE_SIZE;

/// Installs the hooks. Called before the first thread is created.
pub(crate) fn install() {
    inject_pre_schedule_handler(|interrupts_off| {
        registers::try_with_local(|local| {
            save(local, interrupts_off);
        });
    });
    inject_post_schedule_handler(|| {
        registers::try_with_local(|local| {
            load(local);
            local.thread.switched_to();
            local.space.borrow().activate();
        });
    });
    pause::install(|| registers::try_with_local(|local| local.thread.is_dying()).unwrap_or(false));
    inject_user_page_fault_handler(|exception| {
        let space = registers::try_with_local(|local| local.space.borrow().clone()).ok_or(())?;
        fault::resolve_kernel_fault(exception, &space).inspect_err(|()| {
            // Another thread in this memory may have taken the note; the shortage is seen as well.
            if space.take_starved() || budget::available() < SHORT {
                registers::try_with_local(|local| local.thread.note_starved());
            }
        })
    });
}

/// Saves the registers of the current thread.
pub(super) fn save(local: &Local, interrupts_off: &DisabledLocalIrqGuard) {
    local.fpu.borrow_mut().save();
    let mut fs_base = FsBase::new(0);
    fs_base.save();
    local.fs_base.set(fs_base.addr());
    let mut gs_base = GsBase::new(0);
    gs_base.save(interrupts_off);
    local.gs_base.set(gs_base.addr());
}

/// Loads the registers of the current thread.
pub(super) fn load(local: &Local) {
    local.fpu.borrow().load();
    FsBase::new(local.fs_base.get()).load();
    GsBase::new(local.gs_base.get()).load(&disable_local());
}
