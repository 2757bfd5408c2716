//! Serial ports: move bytes between a chip and its terminal.
//!
//! Owns: the inbox that the interrupt handler fills, and which interrupts are enabled.
//! Invariant: a received byte stays in the chip or in the inbox until the terminal takes it. While the inbox is full,
//! the chip's receive interrupt is off and bytes stay in the chip.
//! Locks: the inbox, with interrupts off, because the handler takes it; nothing else is locked under it.

use heapless::Deque;
use ostd::arch::serial::SERIAL_PORT;
use ostd::sync::{LocalIrqDisabled, SpinLock};

use super::uart::{Interrupts, Uart};
use crate::linux::terminal::Wire;
use crate::machine::console;

/// A serial port.
pub(super) struct Port {
    chip: Chip,
    inbox: SpinLock<Inbox, LocalIrqDisabled>,
}

enum Chip {
    /// The first port, which OSTD uses for its own messages. It has no FIFO, and OSTD has its registers.
    Console,
    Ours(Uart),
}

struct Inbox {
    bytes: Deque<u8, 1024>,
    interrupts: Interrupts,
}

impl Port {
    /// Makes the port of OSTD's console.
    pub(super) fn console() -> Self {
        Self::new(Chip::Console)
    }

    /// Probes for a port at `base`.
    pub(super) fn probe(base: u16) -> Option<Self> {
        Uart::probe(base).map(|uart| Self::new(Chip::Ours(uart)))
    }

    fn new(chip: Chip) -> Self {
        let inbox = Inbox { bytes: Deque::new(), interrupts: Interrupts::RECEIVED };
        Self { chip, inbox: SpinLock::new(inbox) }
    }

    /// Enables the chip's interrupts, once their handler is registered.
    pub(super) fn start(&self) {
        let inbox = self.inbox.lock();
        if let Chip::Ours(uart) = &self.chip {
            uart.enable(inbox.interrupts);
        }
    }

    /// Handles an interrupt: moves bytes to the inbox. Returns whether the chip had requested one.
    pub(super) fn handle_interrupt(&self) -> bool {
        let mut inbox = self.inbox.lock();
        match &self.chip {
            Chip::Console => inbox.fill(console_byte),
            Chip::Ours(uart) => {
                if !uart.acknowledge() {
                    return false;
                }
                inbox.fill(|| uart.receive());
                let mut interrupts = inbox.interrupts - Interrupts::TRANSMITTED;
                interrupts.set(Interrupts::RECEIVED, !inbox.bytes.is_full());
                inbox.choose(uart, interrupts);
                true
            }
        }
    }
}

impl Inbox {
    /// Fills the inbox with bytes from `next` while there are any and there is room; returns whether there were any.
    fn fill(&mut self, mut next: impl FnMut() -> Option<u8>) -> bool {
        let before = self.bytes.len();
        while !self.bytes.is_full()
            && let Some(byte) = next()
        {
            let pushed = self.bytes.push_back(byte);
            debug_assert!(pushed.is_ok());
        }
        self.bytes.len() > before
    }

    fn choose(&mut self, uart: &Uart, interrupts: Interrupts) {
        if interrupts != self.interrupts {
            self.interrupts = interrupts;
            uart.enable(interrupts);
        }
    }
}

impl Wire for Port {
    fn send(&self, bytes: &[u8]) -> usize {
        match &self.chip {
            Chip::Console => {
                /// Bytes between two chances for an interrupt.
                const BURST: usize = 16;
                let Some(port) = SERIAL_PORT.get() else {
                    return bytes.len();
                };
                let mut port = port.lock();
                let count = bytes.len().min(BURST);
                for &byte in &bytes[..count] {
                    port.send(byte);
                }
                drop(port);
                console::show(&bytes[..count]);
                count
            }
            Chip::Ours(uart) => {
                let mut inbox = self.inbox.lock();
                let sent = uart.transmit(bytes);
                if sent == 0 {
                    // If the transmitter became free in between, the chip raises this interrupt at once.
                    let interrupts = inbox.interrupts | Interrupts::TRANSMITTED;
                    inbox.choose(uart, interrupts);
                }
                sent
            }
        }
    }

    fn is_idle(&self) -> bool {
        match &self.chip {
            Chip::Console => true,
            Chip::Ours(uart) => uart.is_idle(),
        }
    }

    fn receive(&self) -> Option<u8> {
        let mut inbox = self.inbox.lock();
        let byte = inbox.bytes.pop_front();
        if byte.is_none() {
            match &self.chip {
                // An interrupt that found the inbox full left bytes in the chip and does not come again.
                Chip::Console => return console_byte(),
                Chip::Ours(uart) => {
                    let interrupts = inbox.interrupts | Interrupts::RECEIVED;
                    inbox.choose(uart, interrupts);
                }
            }
        }
        byte
    }
}

fn console_byte() -> Option<u8> {
    SERIAL_PORT.get().and_then(|port| port.lock().recv())
}
