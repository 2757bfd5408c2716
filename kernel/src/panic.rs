//! The kernel's last words: what happened, what happened before, and where.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use ostd::cpu::CpuId;
use ostd::panic::{abort, print_stack_trace};

use crate::console::{self, println};
use crate::trace;

/// Events of each CPU that are worth a line.
const EVENTS: usize = 16;

/// Says in one line what happened, then the last events and the callers, and ends the machine with a failure.
///
/// The addresses get their names from the tool that runs the machine, which has the symbols.
#[ostd::panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static PANICS: AtomicBool = AtomicBool::new(false);
    let _interrupts_off = ostd::irq::disable_local();
    if PANICS.swap(true, Ordering::SeqCst) {
        // In the middle of the words below, or on another CPU: one panic is told.
        println!("pollux: and another panic: {}", info.message());
        abort();
    }
    let cpu = u32::from(CpuId::current_racy());
    match info.location() {
        Some(place) => println!("pollux: panic on cpu {} at {}: {}", cpu, place, info.message()),
        None => println!("pollux: panic on cpu {}: {}", cpu, info.message()),
    }
    for cpu in 0..ostd::cpu::num_cpus() {
        for event in trace::last(cpu, EVENTS) {
            println!("{}", event);
        }
    }
    print_stack_trace();
    console::flush_in_panic();
    abort();
}
