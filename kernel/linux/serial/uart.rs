//! The registers of a 16550A.
//!
//! Owns: eight ports.   Not here: what is sent and received, interrupts' way to the CPU.
//! Source: National Semiconductor PC16550D data sheet; wiki.osdev.org/Serial_Ports for the port numbers.

use bitflags::bitflags;
use ostd::arch::device::io_port::ReadWriteAccess;
use ostd::io::IoPort;

type Register = IoPort<u8, ReadWriteAccess>;

/// A serial port's chip, eight bits at 115 200 baud.
pub(super) struct Uart {
    data: Register,
    interrupt_enable: Register,
    /// Read: which interrupt; write: the FIFOs.
    interrupt_identification: Register,
    line_control: Register,
    modem_control: Register,
    line_status: Register,
    modem_status: Register,
    scratch: Register,
}

bitflags! {
    /// Which changes raise an interrupt.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(super) struct Interrupts: u8 {
        /// A byte came in.
        const RECEIVED = 1;
        /// The transmitter takes more.
        const TRANSMITTED = 2;
    }

    #[derive(Clone, Copy, Debug)]
    struct LineStatus: u8 {
        const DATA_READY = 1;
        const TRANSMITTER_TAKES = 0x20;
        const TRANSMITTER_IDLE = 0x40;
    }
}

/// How many bytes the transmitter takes at once when it takes any.
const FIFO: usize = 16;

impl Uart {
    /// Finds and sets up the chip at `base`; `None` if there is none, or its ports are taken.
    pub(super) fn probe(base: u16) -> Option<Self> {
        let register = |offset| Register::acquire(base + offset).ok();
        let uart = Self {
            data: register(0)?,
            interrupt_enable: register(1)?,
            interrupt_identification: register(2)?,
            line_control: register(3)?,
            modem_control: register(4)?,
            line_status: register(5)?,
            modem_status: register(6)?,
            scratch: register(7)?,
        };
        // Where no chip is, writes go nowhere and reads find all bits set.
        for pattern in [0x55, 0xaa] {
            uart.scratch.write(pattern);
            if uart.scratch.read() != pattern {
                return None;
            }
        }
        uart.set_up();
        Some(uart)
    }

    fn set_up(&self) {
        const DIVISOR_LATCH: u8 = 0x80;
        const EIGHT_BITS_NO_PARITY: u8 = 0x03;
        /// On, emptied, an interrupt from eight bytes on (or when the line falls silent).
        const FIFOS: u8 = 0x87;
        /// Ready; and OUT2, which on PCs connects the interrupt.
        const DTR_RTS_OUT2: u8 = 0x0b;
        self.interrupt_enable.write(0);
        self.line_control.write(DIVISOR_LATCH);
        self.data.write(1);
        self.interrupt_enable.write(0);
        self.line_control.write(EIGHT_BITS_NO_PARITY);
        self.interrupt_identification.write(FIFOS);
        self.modem_control.write(DTR_RTS_OUT2);
    }

    /// Chooses the interrupts.
    pub(super) fn enable(&self, interrupts: Interrupts) {
        self.interrupt_enable.write(interrupts.bits());
    }

    /// Ends what the chip's interrupt is about, as far as reading registers does; `false` if it has none.
    ///
    /// Received bytes stay: they end their interrupt themselves when they are taken.
    pub(super) fn acknowledge(&self) -> bool {
        const NONE_PENDING: u8 = 1;
        let pending = self.interrupt_identification.read();
        if pending & NONE_PENDING != 0 {
            return false;
        }
        self.modem_status.read();
        true
    }

    /// Takes a byte that came in.
    pub(super) fn receive(&self) -> Option<u8> {
        self.status().contains(LineStatus::DATA_READY).then(|| self.data.read())
    }

    /// Sends as many of `bytes` as the transmitter takes now; 0 if it is busy.
    pub(super) fn transmit(&self, bytes: &[u8]) -> usize {
        if !self.status().contains(LineStatus::TRANSMITTER_TAKES) {
            return 0;
        }
        let count = bytes.len().min(FIFO);
        for &byte in &bytes[..count] {
            self.data.write(byte);
        }
        count
    }

    /// Whether the last bit has left.
    pub(super) fn is_idle(&self) -> bool {
        self.status().contains(LineStatus::TRANSMITTER_IDLE)
    }

    fn status(&self) -> LineStatus {
        LineStatus::from_bits_truncate(self.line_status.read())
    }
}
