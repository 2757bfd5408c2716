//! The panic handler: the message, the last events, and the callers.

use core::hint;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use ostd::cpu::CpuId;
use ostd::panic::{abort, print_stack_trace};

use crate::linux::proc::trace::Line;
use crate::machine::console::{self, println};
use crate::machine::trace;

/// How many events of each CPU are printed.
const EVENTS: usize = 16;

/// The value of `TELLER` while no CPU has panicked.
const NONE: u32 = u32::MAX;

/// Prints the message, the last events and the callers, and exits the machine with a failure.
///
/// The tool that runs the machine has the symbols, and replaces the addresses by names.
#[ostd::panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static TELLER: AtomicU32 = AtomicU32::new(NONE);
    let _interrupts_off = ostd::irq::disable_local();
    let cpu = u32::from(CpuId::current_racy());
    match TELLER.compare_exchange(NONE, cpu, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => {}
        Err(teller) if teller == cpu => {
            // The code below has panicked itself.
            println!("pollux: and another panic: {}", info.message());
            abort();
        }
        // Only the first panic is printed. The other CPUs must not end the machine before it is.
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
            println!("{}", Line(event));
        }
    }
    print_stack_trace();
    console::flush_in_panic();
    abort();
}
