//! What a thread keeps between its runs beside the general registers.
//!
//! Owns: its FPU registers, its segment bases, the address space that it runs in.
//! Not here: when they are saved and loaded (`hooks`), the general registers, which are OSTD's.

use alloc::sync::Arc;
use core::cell::{Cell, RefCell};

use ostd::arch::cpu::context::FpuContext;
use ostd::irq::disable_local;
use ostd::task::Task;

use super::hooks;
use super::thread::Thread;
use crate::machine::memory::space::AddressSpace;

/// Per-thread data that only the thread itself touches.
pub(super) struct Local {
    pub(super) thread: Arc<Thread>,
    pub(super) fpu: RefCell<FpuContext>,
    pub(super) fs_base: Cell<usize>,
    pub(super) gs_base: Cell<usize>,
    pub(super) space: RefCell<Arc<AddressSpace>>,
    /// A buffer that is kept between two signals.
    pub(super) fpu_room: Cell<Option<FpuContext>>,
}

/// The registers of a new thread, apart from the general ones.
#[derive(Clone)]
pub(crate) struct Registers {
    pub(crate) fpu: FpuContext,
    pub(crate) fs_base: usize,
    pub(crate) gs_base: usize,
}

impl Registers {
    /// Returns the registers that execve(2) leaves.
    pub(crate) fn new() -> Self {
        Self { fpu: FpuContext::new(), fs_base: 0, gs_base: 0 }
    }
}

/// Runs `f` on the current thread's [`Local`].
pub(super) fn with_local<R>(f: impl FnOnce(&Local) -> R) -> R {
    #[expect(clippy::expect_used, reason = "called by threads only, which are made with a `Local`")]
    try_with_local(f).expect("not a thread")
}

/// Runs `f` as [`with_local`] does; returns `None` in kernel tasks.
pub(super) fn try_with_local<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    let task = Task::current()?;
    task.local_data().downcast_ref::<Local>().map(f)
}

/// Returns the current thread's registers, apart from the general ones.
pub(crate) fn save() -> Registers {
    with_local(|local| {
        hooks::save(local, &disable_local());
        Registers {
            fpu: local.fpu.borrow().clone(),
            fs_base: local.fs_base.get(),
            gs_base: local.gs_base.get(),
        }
    })
}

/// Takes the buffer through which floating-point registers go to and from a signal frame: it is too large to build and
/// clear for each signal. Its contents are arbitrary except for the header, which is as `XSAVE` left it or was checked
/// for `XRSTOR`.
pub(super) fn take_fpu_room() -> FpuContext {
    with_local(|local| local.fpu_room.take()).unwrap_or_default()
}

/// Gives the buffer back for the next signal.
pub(super) fn give_fpu_room(room: FpuContext) {
    with_local(|local| local.fpu_room.set(Some(room)));
}

/// Replaces the current thread's registers.
pub(crate) fn load(registers: Registers) {
    with_local(|local| {
        *local.fpu.borrow_mut() = registers.fpu;
        local.fs_base.set(registers.fs_base);
        local.gs_base.set(registers.gs_base);
        hooks::load(local);
    });
}

/// Moves the current thread to another address space, for execve(2), and returns the old one.
pub(crate) fn move_to_space(space: Arc<AddressSpace>) -> Arc<AddressSpace> {
    with_local(|local| {
        space.activate();
        local.space.replace(space)
    })
}
