//! The first serial port, for messages before the kernel runs.
//!
//! Source: PC16550D data sheet; 115200 bits per second, 8 bits, no parity, one stop bit.

use core::fmt;

use x86_64::instructions::port::Port;

const BASE: u16 = 0x3f8;
const INTERRUPTS: u16 = 1;
const FIFO: u16 = 2;
const LINE_CONTROL: u16 = 3;
const LINE_STATUS: u16 = 5;

/// The bit that replaces the first two registers by the divisor latch.
const DIVISOR_LATCH: u8 = 0x80;
const EIGHT_BITS: u8 = 3;
const TRANSMITTER_EMPTY: u8 = 0x20;

/// The number of status reads after which a port counts as absent.
const PATIENCE: u32 = 100_000;

/// The first serial port.
pub(crate) struct Serial(());

impl Serial {
    /// Sets up the port.
    pub(crate) fn open() -> Self {
        let values = [
            (INTERRUPTS, 0),
            (LINE_CONTROL, DIVISOR_LATCH),
            (0, 1),
            (1, 0),
            (LINE_CONTROL, EIGHT_BITS),
            (FIFO, 7),
        ];
        for (register, value) in values {
            // SAFETY: these are the registers of COM1, which reach no memory; a machine without it ignores them.
            unsafe { Port::new(BASE + register).write(value) };
        }
        Self(())
    }

    fn send(&mut self, byte: u8) {
        // SAFETY: reading the line status has no effect.
        let ready = || unsafe { Port::<u8>::new(BASE + LINE_STATUS).read() } & TRANSMITTER_EMPTY != 0;
        if (0..PATIENCE).any(|_| ready()) {
            // SAFETY: as in `open`.
            unsafe { Port::new(BASE).write(byte) };
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
        Ok(())
    }
}
