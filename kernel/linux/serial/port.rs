//! A serial port: the bytes between its chip and its terminal.
//!
//! Owns: the inbox that the interrupt handler fills, and the choice of interrupts.
//! Invariant: what came in is in the chip or in the inbox until the terminal takes it. While the inbox is full the
//! chip's receive interrupt is off and the bytes stay there.
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
    /// The first one, which OSTD has for its own messages. It has no FIFO, and its registers are not ours.
    Console,
    Ours(Uart),
}

struct Inbox {
    bytes: Deque<u8, 1024>,
    interrupts: Interrupts,
}

impl Port {
    /// OSTD's console.
    pub(super) fn console() -> Self {
        Self::new(Chip::Console)
    }

    /// The port at `base`, if there is one.
    pub(super) fn probe(base: u16) -> Option<Self> {
        Uart::probe(base).map(|uart| Self::new(Chip::Ours(uart)))
    }

    fn new(chip: Chip) -> Self {
        let inbox = Inbox { bytes: Deque::new(), interrupts: Interrupts::RECEIVED };
        Self { chip, inbox: SpinLock::new(inbox) }
    }

    /// Lets the chip raise interrupts, once somebody handles them.
    pub(super) fn start(&self) {
        let inbox = self.inbox.lock();
        if let Chip::Ours(uart) = &self.chip {
            uart.enable(inbox.interrupts);
        }
    }

    /// The interrupt handler's part: moves bytes to the inbox. Returns whether the chip had anything to say.
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
    /// Takes bytes as long as there are any and room for them; returns whether there were.
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
                    // The chip raises this interrupt at once if it has become free in between.
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
                // An interrupt that found the inbox full has left bytes, and will not come again.
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
