//! Processes output: newlines and tabs.

use super::{OUTPUT_MAX, Tty};
use crate::linux::abi::termios::OutputModes;
use crate::machine::transfer::Source;

const TAB: usize = 8;

/// A byte becomes at most this many: a tab, spaces.
const EXPANSION: usize = TAB;

/// Echo has its own share of the queue, so that a writer cannot keep what is typed from being shown.
const ECHO_SHARE: usize = 256;

impl Tty {
    /// Takes bytes to send and returns how many; fewer than there are when the queue is full or (with bytes
    /// remaining and room left) when they cannot be taken.
    pub fn write(&mut self, from: &mut dyn Source) -> usize {
        let mut chunk = [0; 128];
        let mut done = 0;
        while from.remaining() > 0 && self.is_writable() {
            let wanted = from.remaining().min(self.room() / EXPANSION).min(chunk.len());
            let taken = from.take(&mut chunk[..wanted]);
            self.process(&chunk[..taken]);
            done += taken;
            if taken < wanted {
                break;
            }
        }
        done
    }

    /// Returns whether a write would take a byte.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.room() >= EXPANSION
    }

    /// What is to be sent next; empty while STOP is in force.
    #[must_use]
    pub fn to_send(&self) -> &[u8] {
        if self.is_stopped { &[] } else { self.output.as_slices().0 }
    }

    /// Takes off the queue what was sent.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// Returns how many bytes wait for the wire: TIOCOUTQ.
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.output.len()
    }

    /// Sends what the terminal itself has to say; what finds no room is not shown.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.output.len() + EXPANSION <= OUTPUT_MAX {
                self.process(&[byte]);
            }
        }
    }

    fn room(&self) -> usize {
        (OUTPUT_MAX - ECHO_SHARE).saturating_sub(self.output.len())
    }

    fn process(&mut self, bytes: &[u8]) {
        let modes = self.settings.output_modes();
        if !modes.contains(OutputModes::OPOST) {
            self.output.extend(bytes);
            return;
        }
        for &byte in bytes {
            self.process_byte(byte, modes);
        }
    }

    fn process_byte(&mut self, byte: u8, modes: OutputModes) {
        match byte {
            b'\n' => {
                if modes.contains(OutputModes::ONLCR) {
                    self.output.push_back(b'\r');
                }
                if modes.intersects(OutputModes::ONLCR | OutputModes::ONLRET) {
                    self.column = 0;
                }
                self.output.push_back(byte);
            }
            b'\r' if modes.contains(OutputModes::ONOCR) && self.column == 0 => {}
            b'\r' if modes.contains(OutputModes::OCRNL) => self.output.push_back(b'\n'),
            b'\r' => {
                self.column = 0;
                self.output.push_back(byte);
            }
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column += spaces;
                if modes.contains(OutputModes::XTABS) {
                    self.output.extend(core::iter::repeat_n(b' ', spaces));
                } else {
                    self.output.push_back(byte);
                }
            }
            0x08 => {
                self.column = self.column.saturating_sub(1);
                self.output.push_back(byte);
            }
            _ => {
                // Of a UTF-8 sequence only the first byte moves the cursor.
                self.column += usize::from(byte >= 0x20 && byte & 0xc0 != 0x80);
                self.output.push_back(byte);
            }
        }
    }
}
