//! The kernel's last words: what happened, what happened before, and where.

use core::hint;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use ostd::cpu::CpuId;
use ostd::panic::{abort, print_stack_trace};

use crate::core::event::trace;
use crate::machine::console::{self, println};

/// Events of each CPU that are worth a line.
const EVENTS: usize = 16;

/// No CPU has panicked.
const NONE: u32 = u32::MAX;

/// Says in one line what happened, then the last events and the callers, and ends the machine with a failure.
///
/// The addresses get their names from the tool that runs the machine, which has the symbols.
#[ostd::panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static TELLER: AtomicU32 = AtomicU32::new(NONE);
    let _interrupts_off = ostd::irq::disable_local();
    let cpu = u32::from(CpuId::current_racy());
    match TELLER.compare_exchange(NONE, cpu, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => {}
        Err(teller) if teller == cpu => {
            // In the middle of the words below.
            println!("pollux: and another panic: {}", info.message());
            abort();
        }
        // One panic is told. The machine has to live until it is.
        Err(_) => loop {
            hint::spin_loop();
        },
    }
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
