//! The serial ports `ttyS0` to `ttyS3` and their terminals.
//!
//! Owns: the four ports and their two interrupts.   Not here: `/dev` (`fs`); `linux/devices` registers [`open`] there.
//! An interrupt handler only moves bytes and wakes the task of [`start`], which notifies the terminals.
//! Source: ttyS(4).

mod port;
mod uart;

use alloc::sync::Arc;
use alloc::vec::Vec;

use ostd::arch::irq::{IRQ_CHIP, MappedIrqLine};
use ostd::irq::IrqLine;
use rules::abi::errno::Errno;
use spin::Once;

use self::port::Port;
use super::terminal::Terminal;
use crate::linux::fs::device::nodes;
use crate::machine::kernel_task::{KernelTask, Sleeper, Urgency};

/// I/O port and ISA interrupt of each; the first is also OSTD's console.
const PORTS: [(u16, u8); 4] = [(0x3f8, 4), (0x2f8, 3), (0x3e8, 4), (0x2e8, 3)];

static WIRES: Once<[Option<Port>; 4]> = Once::new();
static TERMINALS: Once<[Option<Arc<Terminal>>; 4]> = Once::new();
static SERVER: KernelTask = KernelTask::new(Urgency::Background);
static LINES: Once<Vec<MappedIrqLine>> = Once::new();

/// Returns the terminal on a port.
///
/// # Errors
/// `ENXIO`: no such number. `EIO`: there is no chip.
pub(crate) fn open(number: usize) -> Result<Arc<Terminal>, Errno> {
    terminals().get(number).ok_or(Errno::ENXIO)?.clone().ok_or(Errno::EIO)
}

/// Starts the task that serves the terminals after interrupts.
///
/// # Errors
/// `ENOMEM`: there is no memory for a task.
pub(crate) fn start() -> Result<(), Errno> {
    SERVER.spawn(serve)
}

fn serve(sleeper: &Sleeper) {
    LINES.call_once(|| [3, 4].into_iter().filter_map(connect).collect());
    for wire in wires().iter().flatten() {
        wire.start();
    }
    loop {
        for terminal in terminals().iter().flatten() {
            terminal.serve();
        }
        sleeper.sleep();
    }
}

/// Waits, spinning, until all output has left, for at most a second: before the machine is switched off.
pub(crate) fn drain() {
    let deadline = ostd::arch::read_tsc().saturating_add(ostd::arch::tsc_freq());
    for terminal in terminals().iter().flatten() {
        while terminal.drain().is_pending() && ostd::arch::read_tsc() < deadline {
            core::hint::spin_loop();
        }
    }
}

fn wires() -> &'static [Option<Port>; 4] {
    WIRES.call_once(|| {
        let [_, others @ ..] = PORTS.map(|(base, _)| base);
        let [second, third, fourth] = others.map(Port::probe);
        [Some(Port::console()), second, third, fourth]
    })
}

fn terminals() -> &'static [Option<Arc<Terminal>>; 4] {
    TERMINALS.call_once(|| {
        let numbered = core::array::from_fn::<_, 4, _>(|port| (port as u32, wires()[port].as_ref()));
        numbered.map(|(port, wire)| wire.map(|wire| Arc::new(Terminal::new(wire, nodes::serial(port)))))
    })
}

/// Routes an ISA interrupt to the ports that share it. Without it they can send, but do not receive.
fn connect(isa_line: u8) -> Option<MappedIrqLine> {
    let mut line = IrqLine::alloc().ok()?;
    line.on_active(move |_| handle_interrupt(isa_line));
    IRQ_CHIP.get()?.map_isa_pin_to(line, isa_line).ok()
}

fn handle_interrupt(isa_line: u8) {
    /// More rounds than a working chip needs, so that a broken one cannot occupy the CPU.
    const ROUNDS: usize = 16;
    let sharing = || wires().iter().zip(PORTS).filter(|(_, (_, line))| *line == isa_line);
    // The line is edge-triggered: it rises again only after no chip has requested an interrupt.
    for _ in 0..ROUNDS {
        let asked = sharing().filter(|(wire, _)| wire.as_ref().is_some_and(Port::handle_interrupt)).count();
        if asked == 0 {
            break;
        }
    }
    SERVER.wake();
}
