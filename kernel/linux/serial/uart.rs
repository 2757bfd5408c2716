//! The registers of a 16550A.
//!
//! Owns: the eight registers.   Not here: which bytes are sent and received, routing of interrupts.
//! Source: National Semiconductor PC16550D data sheet; wiki.osdev.org/Serial_Ports for the port numbers.

use bitflags::bitflags;
use ostd::arch::device::io_port::ReadWriteAccess;
use ostd::io::IoPort;

type Register = IoPort<u8, ReadWriteAccess>;

/// The UART of a serial port, at eight bits and 115 200 baud.
pub(super) struct Uart {
    data: Register,
    interrupt_enable: Register,
    /// Read: the cause of an interrupt; write: control of the FIFOs.
    interrupt_identification: Register,
    line_control: Register,
    modem_control: Register,
    line_status: Register,
    modem_status: Register,
    scratch: Register,
}

bitflags! {
    /// The causes of an interrupt.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(super) struct Interrupts: u8 {
        /// A byte was received.
        const RECEIVED = 1;
        /// The transmitter has room.
        const TRANSMITTED = 2;
    }

    #[derive(Clone, Copy, Debug)]
    struct LineStatus: u8 {
        const DATA_READY = 1;
        const TRANSMITTER_TAKES = 0x20;
        const TRANSMITTER_IDLE = 0x40;
    }
}

/// The bytes that an empty transmitter takes at once.
const FIFO: usize = 16;

impl Uart {
    /// Finds and initializes the chip at `base`; `None` if there is none, or its ports are in use.
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
        // Without a chip, writes have no effect and reads return all ones.
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
        /// Enabled, cleared, interrupt from eight bytes on (or when the line falls silent).
        const FIFOS: u8 = 0x87;
        /// Ready; and OUT2, which on PCs enables the interrupt line.
        const DTR_RTS_OUT2: u8 = 0x0b;
        self.interrupt_enable.write(0);
        self.line_control.write(DIVISOR_LATCH);
        self.data.write(1);
        self.interrupt_enable.write(0);
        self.line_control.write(EIGHT_BITS_NO_PARITY);
        self.interrupt_identification.write(FIFOS);
        self.modem_control.write(DTR_RTS_OUT2);
    }

    /// Enables these interrupts and disables the others.
    pub(super) fn enable(&self, interrupts: Interrupts) {
        self.interrupt_enable.write(interrupts.bits());
    }

    /// Acknowledges the chip's interrupt, as far as reading registers does; returns false if there is none.
    ///
    /// Received bytes stay; reading them ends their interrupt.
    pub(super) fn acknowledge(&self) -> bool {
        const NONE_PENDING: u8 = 1;
        let pending = self.interrupt_identification.read();
        if pending & NONE_PENDING != 0 {
            return false;
        }
        self.modem_status.read();
        true
    }

    /// Reads a received byte.
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

    /// Returns whether the last bit has left.
    pub(super) fn is_idle(&self) -> bool {
        self.status().contains(LineStatus::TRANSMITTER_IDLE)
    }

    fn status(&self) -> LineStatus {
        LineStatus::from_bits_truncate(self.line_status.read())
    }
}
