//! Which address space a page fault in the kernel is about.
//!
//! Owns: the question.   Not here: the answer, which the task layer knows and registers at boot. An
//! upward call would turn the import order round, and a copy of the pointer per CPU would have to be
//! kept right at every switch although faults in the kernel are rarer than switches.

use alloc::sync::Arc;

use spin::Once;

use super::space::AddressSpace;

static CURRENT: Once<fn() -> Option<Arc<AddressSpace>>> = Once::new();

/// Registers how to find the current task's address space. The first caller wins.
///
/// `lookup` is called in page faults: it must not sleep, and must not take a lock under which user
/// memory is touched.
pub(crate) fn set_lookup(lookup: fn() -> Option<Arc<AddressSpace>>) {
    CURRENT.call_once(|| lookup);
}

/// The address space of the current task; `None` for kernel tasks.
#[must_use]
pub(crate) fn get() -> Option<Arc<AddressSpace>> {
    CURRENT.get().and_then(|lookup| lookup())
}
