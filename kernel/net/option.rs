//! Socket options: reading and writing the fields of [`Options`].
//!
//! Each option is in the table of its level (`socket`, `ip`, `tcp`) once, for both directions. A protocol chooses its
//! levels in [`Socket::option`](super::socket::Socket::option).
//! Source: socket(7); Linux 6.1 net/core/sock.c (`sk_setsockopt`, `sk_getsockopt`).

pub(super) mod ip;
pub(crate) mod socket;
pub(super) mod tcp;

use core::ops::RangeInclusive;
use core::time::Duration;

use ostd_pod::{Immutable, IntoBytes, Pod};
use rules::abi::errno::Errno;
use rules::abi::time::Timeval;
use rules::net::socket::{Options, Switches};

use super::socket::SocketCaller;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Half of `wmem_max` and of `rmem_max`.
const MOST_BUFFER: u32 = 212_992;

/// A field that programs see as a number, with the numbers that are allowed.
enum Number {
    /// On or off.
    Flag(fn(&mut Options) -> &mut bool),
    /// One of the switches.
    Switch(Switches),
    /// The negation of one of the switches.
    Unless(Switches),
    /// The size of a buffer, with its minimum. Linux doubles the requested size, for its own overhead.
    Buffer(u32, fn(&mut Options) -> &mut usize),
    /// Whole seconds.
    Seconds(RangeInclusive<i32>, fn(&mut Options) -> &mut Duration),
    /// A small number.
    Byte(RangeInclusive<i32>, fn(&mut Options) -> &mut u8),
    /// Any number.
    Any(fn(&mut Options) -> &mut i32),
}

impl Number {
    /// Returns the number that the field has in `options`.
    fn get(&self, options: &mut Options) -> i32 {
        match self {
            Self::Flag(field) => i32::from(*field(options)),
            Self::Switch(switch) => i32::from(options.switches.contains(*switch)),
            Self::Unless(switch) => i32::from(!options.switches.contains(*switch)),
            Self::Buffer(_, field) => *field(options) as i32,
            Self::Seconds(_, field) => field(options).as_secs() as i32,
            Self::Byte(_, field) => i32::from(*field(options)),
            Self::Any(field) => *field(options),
        }
    }

    /// Checks that `number` is allowed.
    ///
    /// # Errors
    /// `EINVAL`: it is not.
    fn check(&self, number: i32) -> Result<(), Errno> {
        match self {
            Self::Seconds(range, _) | Self::Byte(range, _) if !range.contains(&number) => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// Sets the field to a number that [is allowed](Self::check).
    fn set(&self, options: &mut Options, number: i32) {
        match self {
            Self::Flag(field) => *field(options) = number != 0,
            Self::Switch(switch) => options.switches.set(*switch, number != 0),
            Self::Unless(switch) => options.switches.set(*switch, number == 0),
            // A negative size is the largest.
            Self::Buffer(least, field) => {
                *field(options) = (number.cast_unsigned().min(MOST_BUFFER) * 2).max(*least) as usize;
            }
            Self::Seconds(_, field) => *field(options) = Duration::from_secs(number.unsigned_abs().into()),
            Self::Byte(_, field) => *field(options) = number as u8,
            Self::Any(field) => *field(options) = number,
        }
    }

    /// Changes the option of `socket`.
    ///
    /// # Errors
    /// `EINVAL`: it cannot be set to `number`.
    fn change(&self, socket: &dyn super::socket::Socket, number: i32) -> Result<(), Errno> {
        self.check(number)?;
        socket.update_options(&mut |options| self.set(options, number));
        Ok(())
    }
}

/// Where getsockopt(2) writes a value.
pub(crate) struct OptionOutput<'a> {
    /// The caller's memory.
    pub(crate) space: &'a AddressSpace,
    /// Where the value goes.
    pub(crate) value: usize,
    /// Where its length is, and goes.
    pub(crate) len_addr: usize,
}

impl OptionOutput<'_> {
    /// Writes as much of `value` as there is room for, and the number of bytes.
    ///
    /// # Errors
    /// `EINVAL`: negative room. `EFAULT`: not writable.
    pub(crate) fn write<T: IntoBytes + Immutable>(&self, value: T) -> Result<(), Errno> {
        let len = UserPtr::<i32>::new(self.space, self.len_addr);
        let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
        let bytes = value.as_bytes();
        let written = room.min(bytes.len());
        UserSlice::new(self.space, self.value, written)?.write_bytes(&bytes[..written])?;
        len.write(&(written as i32))
    }

    /// Writes 1 or 0.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn write_flag(&self, is_on: bool) -> Result<(), Errno> {
        self.write(i32::from(is_on))
    }

    /// Checks that there is room for `len` bytes.
    ///
    /// # Errors
    /// `EINVAL`: there is not. `EFAULT`: the length is not readable.
    pub(crate) fn require(&self, len: usize) -> Result<(), Errno> {
        let room = UserPtr::<i32>::new(self.space, self.len_addr).read()?;
        if usize::try_from(room).is_ok_and(|room| room >= len) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn write_time(&self, time: Option<Duration>) -> Result<(), Errno> {
        self.write(Timeval::from(time.unwrap_or_default()))
    }
}

/// The value that a program passed to setsockopt(2).
pub(crate) struct OptionInput<'a> {
    /// The caller.
    pub(crate) caller: &'a dyn SocketCaller,
    /// Its memory.
    pub(crate) space: &'a AddressSpace,
    /// Where the value is.
    pub(crate) value: usize,
    /// Its length.
    pub(crate) len: usize,
}

impl OptionInput<'_> {
    /// Reads the value as a `T`.
    ///
    /// # Errors
    /// `EINVAL`: too short. `EFAULT`: not readable.
    fn read<T: Pod>(&self) -> Result<T, Errno> {
        if self.len < size_of::<T>() {
            return Err(Errno::EINVAL);
        }
        UserPtr::<T>::new(self.space, self.value).read()
    }

    /// Reads the value as a number.
    ///
    /// # Errors
    /// `EINVAL`: too short. `EFAULT`: not readable.
    pub(crate) fn number(&self) -> Result<i32, Errno> {
        self.read()
    }

    /// Reads a number of one byte or of four.
    fn small_number(&self) -> Result<i32, Errno> {
        if self.len < size_of::<i32>() { self.read::<u8>().map(i32::from) } else { self.number() }
    }

    fn time(&self) -> Result<Option<Duration>, Errno> {
        let time = self.read::<Timeval>()?;
        if !(0..1_000_000).contains(&time.microseconds) {
            return Err(Errno::EDOM);
        }
        // A negative time is over at once; zero would be no limit.
        let time = time.to_duration().unwrap_or(Duration::from_nanos(1));
        Ok(Some(time).filter(|time| !time.is_zero()))
    }
}
