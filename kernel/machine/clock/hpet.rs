//! The High Precision Event Timer: one comparator as a one-shot interrupt below OSTD's 1 ms tick.
//!
//! Source: IA-PC HPET Specification 1.0a, section 2.3.

use ostd::arch::irq::{IRQ_CHIP, MappedIrqLine};
use ostd::io::IoMem;
use ostd::irq::IrqLine;
use ostd::mm::VmIoOnce;

const BASE: usize = 0xfed0_0000;
const SIZE: usize = 0x400;

const PERIOD: usize = 0x004;
const CONFIGURATION: usize = 0x010;
const COUNTER: usize = 0x0f0;
const TIMER_CONFIGURATION: usize = 0x100;
const TIMER_ROUTES: usize = 0x104;
const TIMER_COMPARATOR: usize = 0x108;

const ENABLE: u32 = 1;
const TIMER_INTERRUPT: u32 = 1 << 2;
const TIMER_32_BIT: u32 = 1 << 8;
const FEMTOS: u64 = 1_000_000_000_000_000;

/// The smallest distance between the counter and a new match value; the device may miss a closer one.
const MARGIN: u32 = 64;

/// The HPET, with its counter running.
pub(super) struct Hpet {
    registers: IoMem,
    frequency: u64,
    _line: Option<MappedIrqLine>,
}

/// Finds the device at the address that it has on every PC.
pub(super) fn find() -> Option<Hpet> {
    let registers = IoMem::acquire(BASE..BASE + SIZE).ok()?;
    let period: u32 = registers.read_once(PERIOD).ok()?;
    // The specification's upper bound is 100 ns; a missing device reads as all ones.
    if period == 0 || period > 100_000_000 {
        return None;
    }
    let hpet = Hpet { registers, frequency: FEMTOS / u64::from(period), _line: None };
    hpet.write(CONFIGURATION, hpet.read(CONFIGURATION) | ENABLE);
    Some(hpet)
}

impl Hpet {
    /// Returns the counter's frequency in hertz.
    pub(super) fn frequency(&self) -> u64 {
        self.frequency
    }

    /// Returns the low half of the counter.
    pub(super) fn counter(&self) -> u32 {
        self.read(COUNTER)
    }

    /// Routes the comparator's interrupt to `handler`; `None` if no route is free.
    pub(super) fn with_interrupt(mut self, handler: impl Fn() + Send + Sync + 'static) -> Option<Self> {
        let mut line = IrqLine::alloc().ok()?;
        line.on_active(move |_| handler());
        let routes = self.read(TIMER_ROUTES);
        // On a PC with message-signalled interrupts the highest pins are not shared.
        let pin = (16..24).rev().find(|pin| routes & (1 << pin) != 0)?;
        self._line = Some(IRQ_CHIP.get()?.map_gsi_pin_to(line, pin).ok()?);
        self.write(TIMER_CONFIGURATION, (pin << 9) | TIMER_INTERRUPT | TIMER_32_BIT);
        Some(self)
    }

    /// Requests an interrupt in about `nanos` nanoseconds (at most a few seconds).
    pub(super) fn interrupt_in(&self, nanos: u64) {
        let counts = u32::try_from(nanos * (self.frequency / 1000) / 1_000_000).unwrap_or(u32::MAX / 2);
        let mut distance = counts.max(MARGIN);
        loop {
            let from = self.counter();
            let target = from.wrapping_add(distance);
            self.write(TIMER_COMPARATOR, target);
            // The match value was written in time: it is still ahead.
            if self.counter().wrapping_sub(from) < distance {
                return;
            }
            distance = distance.saturating_mul(2);
        }
    }

    fn read(&self, register: usize) -> u32 {
        // The offsets are constants inside the mapping.
        self.registers.read_once(register).unwrap_or(0)
    }

    fn write(&self, register: usize, value: u32) {
        let _ = self.registers.write_once(register, &value);
    }
}
