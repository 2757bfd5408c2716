//! The bootable program: the kernel library, the allocators, and the panic handler.
//!
//! `cargo osdk` generates a crate of this shape for itself. This one is checked in, so that Make builds
//! from one lock file and with our own flags (see `build.rs` and `.cargo/config.toml`).
#![no_std]
#![no_main]

use core::alloc::Layout;

use osdk_heap_allocator::{HeapAllocator, type_from_layout};
use ostd::mm::heap::SlotInfo;

#[cfg(ktest)]
mod ktest;

// Links the library that holds `#[ostd::main]`.
extern crate kernel;
// Links the library that holds `#[ostd::global_frame_allocator]`.
extern crate frames;

#[ostd::global_heap_allocator]
static HEAP_ALLOCATOR: HeapAllocator = HeapAllocator;

#[ostd::global_heap_allocator_slot_map]
const fn slot_info(layout: Layout) -> Option<SlotInfo> {
    type_from_layout(layout)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    unsafe extern "Rust" {
        fn __ostd_panic_handler(info: &core::panic::PanicInfo) -> !;
    }
    // SAFETY: OSTD defines the symbol with exactly this signature (weakly; `#[ostd::panic_handler]` in the
    // kernel overrides it), and `PanicInfo` is passed on unchanged.
    unsafe { __ostd_panic_handler(info) }
}
