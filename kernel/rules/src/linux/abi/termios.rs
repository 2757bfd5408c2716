//! Terminal settings and the requests of ioctl(2) that carry them.
//!
//! Source: termios(3), ioctl_tty(2); Linux 6.1 include/uapi/asm-generic/{termbits,ioctls,termios}.h,
//! drivers/tty/tty_io.c (`tty_std_termios`).

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Get the [`Termios`].
pub const TCGETS: u32 = 0x5401;
/// Set it at once.
pub const TCSETS: u32 = 0x5402;
/// Set it when the output is sent.
pub const TCSETSW: u32 = 0x5403;
/// Set it when the output is sent, and forget the input.
pub const TCSETSF: u32 = 0x5404;
/// tcsendbreak(3), or tcdrain(3) for any argument but 0.
pub const TCSBRK: u32 = 0x5409;
/// tcflush(3).
pub const TCFLSH: u32 = 0x540b;
/// Make the terminal the controlling one.
pub const TIOCSCTTY: u32 = 0x540e;
/// Get the foreground process group.
pub const TIOCGPGRP: u32 = 0x540f;
/// Set the foreground process group.
pub const TIOCSPGRP: u32 = 0x5410;
/// How many bytes are to be sent.
pub const TIOCOUTQ: u32 = 0x5411;
/// Get the [`WindowSize`].
pub const TIOCGWINSZ: u32 = 0x5413;
/// Set the [`WindowSize`].
pub const TIOCSWINSZ: u32 = 0x5414;
/// Give up the controlling terminal.
pub const TIOCNOTTY: u32 = 0x5422;
/// Get the session.
pub const TIOCGSID: u32 = 0x5429;
/// Packet mode on or off.
pub const TIOCPKT: u32 = 0x5420;
/// Whether packet mode is on.
pub const TIOCGPKT: u32 = 0x8004_5438;
/// Get a pseudo-terminal's number.
pub const TIOCGPTN: u32 = 0x8004_5430;
/// Lock or unlock a pseudo-terminal's slave.
pub const TIOCSPTLCK: u32 = 0x4004_5431;
/// Whether the slave is locked.
pub const TIOCGPTLCK: u32 = 0x8004_5439;
/// Open the slave of a master.
pub const TIOCGPTPEER: u32 = 0x5441;
/// How many bytes can be read.
pub const FIONREAD: u32 = 0x541b;

/// `struct termios` as the kernel has it (the C libraries' is longer).
#[derive(Clone, Copy, Debug, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct Termios {
    /// [`InputModes`].
    pub input: u32,
    /// [`OutputModes`].
    pub output: u32,
    /// Speed and frame, which the wire keeps to itself here.
    pub control: u32,
    /// [`LocalModes`].
    pub local: u32,
    /// The line discipline; 0 is the only one.
    pub discipline: u8,
    /// The special characters, by [`Special`].
    pub special: [u8; 19],
}

/// `struct winsize`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
    /// Unused.
    pub pixels: [u16; 2],
}

const _: () = assert!(size_of::<Termios>() == 36);

bitflags! {
    /// What happens to bytes that come in.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct InputModes: u32 {
        /// Clear the eighth bit.
        const ISTRIP = 0o40;
        /// A newline becomes a carriage return.
        const INLCR = 0o100;
        /// Carriage returns are dropped.
        const IGNCR = 0o200;
        /// A carriage return becomes a newline.
        const ICRNL = 0o400;
        /// STOP and START halt and resume the output.
        const IXON = 0o2000;
        /// Any byte resumes the output.
        const IXANY = 0o4000;
        /// Ring the bell when a line is too long.
        const IMAXBEL = 0o20000;
    }

    /// What happens to bytes that go out.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct OutputModes: u32 {
        /// Any of the following happens at all.
        const OPOST = 0o1;
        /// A newline becomes a carriage return and a newline.
        const ONLCR = 0o4;
        /// A carriage return becomes a newline.
        const OCRNL = 0o10;
        /// No carriage return in the first column.
        const ONOCR = 0o20;
        /// A newline returns to the first column by itself.
        const ONLRET = 0o40;
        /// A tab becomes spaces.
        const XTABS = 0o14000;
    }

    /// What the terminal does for the one who types.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct LocalModes: u32 {
        /// INTR, QUIT and SUSP send signals.
        const ISIG = 0o1;
        /// Input comes in lines that can be edited.
        const ICANON = 0o2;
        /// Input is shown.
        const ECHO = 0o10;
        /// ERASE rubs the character out.
        const ECHOE = 0o20;
        /// KILL starts a new line.
        const ECHOK = 0o40;
        /// A newline is shown even without `ECHO`.
        const ECHONL = 0o100;
        /// Signals do not flush the queues.
        const NOFLSH = 0o200;
        /// Processes in the background may not write.
        const TOSTOP = 0o400;
        /// Control characters are shown as `^X`.
        const ECHOCTL = 0o1000;
        /// KILL rubs the line out.
        const ECHOKE = 0o4000;
        /// LNEXT and WERASE work.
        const IEXTEN = 0o100_000;
    }
}

/// Places in [`Termios::special`]. A character that is 0 there is switched off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Special {
    /// `SIGINT`.
    Interrupt = 0,
    /// `SIGQUIT`.
    Quit = 1,
    /// Takes the last character back.
    Erase = 2,
    /// Takes the line back.
    Kill = 3,
    /// Ends the line without a newline; an empty line is the end of the file.
    EndOfFile = 4,
    /// Tenths of a second that a read waits for the next byte, without `ICANON`.
    Time = 5,
    /// Bytes that a read waits for, without `ICANON`.
    Minimum = 6,
    /// Resumes the output.
    Start = 8,
    /// Halts the output.
    Stop = 9,
    /// `SIGTSTP`.
    Suspend = 10,
    /// Ends the line too.
    EndOfLine = 11,
    /// Takes the last word back.
    EraseWord = 14,
    /// Takes the meaning from the next character.
    LiteralNext = 15,
    /// Ends the line too.
    EndOfLine2 = 16,
}

impl Termios {
    /// What terminals start with.
    pub const INITIAL: Self = Self {
        input: InputModes::ICRNL.union(InputModes::IXON).bits(),
        output: OutputModes::OPOST.union(OutputModes::ONLCR).bits(),
        // CREAD, HUPCL, eight bits, 38 400 baud.
        control: 0o15 | 0o60 | 0o200 | 0o2000,
        local: LocalModes::all()
            .difference(LocalModes::ECHONL)
            .difference(LocalModes::NOFLSH)
            .difference(LocalModes::TOSTOP)
            .bits(),
        discipline: 0,
        special: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
    };

    /// Returns the input modes that have an effect here.
    #[must_use]
    pub const fn input_modes(&self) -> InputModes {
        InputModes::from_bits_truncate(self.input)
    }

    /// Returns the output modes that have an effect here.
    #[must_use]
    pub const fn output_modes(&self) -> OutputModes {
        OutputModes::from_bits_truncate(self.output)
    }

    /// Returns the local modes that have an effect here.
    #[must_use]
    pub const fn local_modes(&self) -> LocalModes {
        LocalModes::from_bits_truncate(self.local)
    }

    /// A special character or number as it is set.
    #[must_use]
    pub const fn special(&self, which: Special) -> u8 {
        self.special[which as usize]
    }

    /// Returns whether `byte` is that special character.
    #[must_use]
    pub const fn is_special(&self, byte: u8, which: Special) -> bool {
        byte != 0 && byte == self.special(which)
    }
}
