//! Processes input: line editing, signals, echo.

use super::{Flush, INPUT_MAX, Tty, TtySignal};
use crate::linux::abi::termios::{InputModes, LocalModes, Special};

const BELL: u8 = 7;
const DELETE: u8 = 127;

impl Tty {
    /// Returns whether there is room for another byte. A wire whose bytes are taken without room loses them.
    ///
    /// A line that is too long still takes its end, so without a complete line there is always room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.ready.len() + self.editing.len() < INPUT_MAX - 1 || self.is_canonical() && self.lines.is_empty()
    }

    /// Takes a byte from the wire; returns what it asks of the foreground processes.
    pub fn receive(&mut self, byte: u8) -> Option<TtySignal> {
        let modes = self.settings.input_modes();
        let byte = if modes.contains(InputModes::ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.is_literal) {
            self.store(byte);
            return None;
        }
        if modes.contains(InputModes::IXON) && self.receive_flow_control(byte) {
            return None;
        }
        if let Some(signal) = self.signal_of(byte) {
            self.receive_signal(byte);
            return Some(signal);
        }
        let byte = match byte {
            b'\r' if modes.contains(InputModes::IGNCR) => return None,
            b'\r' if modes.contains(InputModes::ICRNL) => b'\n',
            b'\n' if modes.contains(InputModes::INLCR) => b'\r',
            _ => byte,
        };
        if self.is_canonical() {
            self.edit(byte);
        } else {
            self.store(byte);
        }
        None
    }

    fn receive_flow_control(&mut self, byte: u8) -> bool {
        let was_stopped = self.is_stopped;
        let is_start = self.settings.is_special(byte, Special::Start);
        let is_stop = self.settings.is_special(byte, Special::Stop);
        if is_start || self.settings.input_modes().contains(InputModes::IXANY) {
            self.is_stopped = false;
        }
        if is_stop && !(is_start && was_stopped) {
            self.is_stopped = true;
        }
        is_start || is_stop
    }

    fn signal_of(&self, byte: u8) -> Option<TtySignal> {
        if !self.has(LocalModes::ISIG) {
            return None;
        }
        let of = [
            (Special::Interrupt, TtySignal::Interrupt),
            (Special::Quit, TtySignal::Quit),
            (Special::Suspend, TtySignal::Suspend),
        ];
        of.into_iter().find(|&(special, _)| self.settings.is_special(byte, special)).map(|(_, signal)| signal)
    }

    fn receive_signal(&mut self, byte: u8) {
        if !self.has(LocalModes::NOFLSH) {
            self.flush(Flush::Both);
        }
        // A user who interrupts a program wants to see its next output.
        self.is_stopped = false;
        if self.has(LocalModes::ECHO) {
            self.echo(byte);
        }
    }

    fn edit(&mut self, byte: u8) {
        let is = |special| self.settings.is_special(byte, special);
        if is(Special::Erase) {
            self.erase_last();
        } else if is(Special::Kill) {
            self.erase_line(byte);
        } else if is(Special::EraseWord) && self.has(LocalModes::IEXTEN) {
            self.erase_word();
        } else if is(Special::LiteralNext) && self.has(LocalModes::IEXTEN) {
            self.is_literal = true;
            if self.has(LocalModes::ECHO) && self.has(LocalModes::ECHOCTL) {
                self.send(b"^\x08");
            }
        } else if is(Special::EndOfFile) {
            self.end_line(None);
        } else if byte == b'\n' {
            if self.has(LocalModes::ECHO) || self.has(LocalModes::ECHONL) {
                self.send(b"\n");
            }
            self.end_line(Some(byte));
        } else if is(Special::EndOfLine) || is(Special::EndOfLine2) {
            if self.has(LocalModes::ECHO) {
                self.echo(byte);
            }
            self.end_line(Some(byte));
        } else {
            self.store(byte);
        }
    }

    /// Keeps a byte that has no meaning.
    fn store(&mut self, byte: u8) {
        if self.ready.len() + self.editing.len() >= INPUT_MAX - 1 {
            if self.settings.input_modes().contains(InputModes::IMAXBEL) {
                self.send(&[BELL]);
            }
            return;
        }
        if self.is_canonical() {
            self.editing.push(byte);
        } else {
            self.ready.push_back(byte);
        }
        if self.has(LocalModes::ECHO) {
            self.echo(byte);
        }
    }

    fn end_line(&mut self, delimiter: Option<u8>) {
        self.editing.extend(delimiter);
        self.lines.push_back(self.editing.len());
        self.ready.extend(self.editing.drain(..));
    }

    fn erase_last(&mut self) {
        if let Some(byte) = self.editing.pop()
            && self.has(LocalModes::ECHO)
        {
            if self.has(LocalModes::ECHOE) {
                self.rub_out(byte);
            } else {
                self.echo(self.settings.special(Special::Erase));
            }
        }
    }

    fn erase_word(&mut self) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        while self.editing.last().is_some_and(|byte| !is_word(byte)) {
            self.erase_last();
        }
        while self.editing.last().is_some_and(is_word) {
            self.erase_last();
        }
    }

    fn erase_line(&mut self, kill: u8) {
        let rubs = self.has(LocalModes::ECHOE) && self.has(LocalModes::ECHOK) && self.has(LocalModes::ECHOKE);
        if rubs {
            while !self.editing.is_empty() {
                self.erase_last();
            }
            return;
        }
        self.editing.clear();
        if self.has(LocalModes::ECHO) {
            self.echo(kill);
            if self.has(LocalModes::ECHOK) {
                self.send(b"\n");
            }
        }
    }

    /// Takes the picture of one byte off the screen.
    fn rub_out(&mut self, byte: u8) {
        for _ in 0..self.picture(byte) {
            self.send(b"\x08 \x08");
        }
    }

    /// Shows a byte.
    fn echo(&mut self, byte: u8) {
        if self.picture(byte) == 2 && self.has(LocalModes::ECHOCTL) {
            self.send(&[b'^', byte ^ 0x40]);
        } else {
            self.send(&[byte]);
        }
    }

    /// Returns how many characters a byte takes when shown. Of a UTF-8 sequence only the first byte takes any.
    fn picture(&self, byte: u8) -> usize {
        match byte {
            b'\t' | b'\n' => 1,
            0..0x20 | DELETE if self.has(LocalModes::ECHOCTL) => 2,
            0..0x20 | DELETE | 0x80..0xc0 => 0,
            _ => 1,
        }
    }
}
