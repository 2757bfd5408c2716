//! The timeouts of system calls: parsing them, and writing back what remains.
//!
//! Source: Linux 6.1 fs/select.c (`poll_select_set_timeout`, `poll_select_finish`).

use core::time::Duration;

use rules::abi::errno::Errno;
use rules::abi::time::{Timespec, Timeval};

use crate::core::file::poll_set::Timeout;
use crate::machine::clock;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// The latest deadline: `TIME64_MAX` seconds.
const END_OF_TIME: Duration = Duration::from_secs(i64::MAX.cast_unsigned());

/// A time limit in the program's memory, to which the remaining time is written back.
pub(crate) struct TimeLimit {
    timeout: Timeout<Duration>,
    target: WriteBack,
}

/// Where the remaining time is written.
enum WriteBack {
    Nowhere,
    Timespec(usize),
    Timeval(usize),
}

/// Parses the timeout of poll(2) and epoll_wait(2): a negative number is no limit.
#[inline]
pub(crate) fn from_milliseconds(milliseconds: i32) -> Timeout<Duration> {
    match u64::try_from(milliseconds) {
        Err(_) => Timeout::Never,
        Ok(0) => Timeout::Now,
        Ok(milliseconds) => from_now(Duration::from_millis(milliseconds)),
    }
}

fn from_now(time: Duration) -> Timeout<Duration> {
    if time.is_zero() {
        return Timeout::Now;
    }
    Timeout::At(clock::now().saturating_add(time).min(END_OF_TIME))
}

impl TimeLimit {
    /// Reads the `struct timespec` at `address`; null is no limit.
    ///
    /// # Errors
    /// `EFAULT`: not readable. `EINVAL`: negative, or with a second or more of nanoseconds.
    pub(crate) fn timespec(space: &AddressSpace, address: usize) -> Result<Self, Errno> {
        let read = || UserPtr::<Timespec>::new(space, address).read()?.to_duration();
        Self::new(address, read, WriteBack::Timespec(address))
    }

    /// Reads the `struct timeval` at `address`; null is no limit.
    ///
    /// # Errors
    /// `EFAULT`: not readable. `EINVAL`: negative.
    pub(crate) fn timeval(space: &AddressSpace, address: usize) -> Result<Self, Errno> {
        let read = || UserPtr::<Timeval>::new(space, address).read()?.to_duration();
        Self::new(address, read, WriteBack::Timeval(address))
    }

    fn new(
        address: usize,
        read: impl FnOnce() -> Result<Duration, Errno>,
        target: WriteBack,
    ) -> Result<Self, Errno> {
        if address == 0 {
            return Ok(Self { timeout: Timeout::Never, target: WriteBack::Nowhere });
        }
        Ok(Self { timeout: from_now(read()?), target })
    }

    /// Returns the timeout.
    pub(crate) const fn timeout(&self) -> Timeout<Duration> {
        self.timeout
    }

    /// Writes the remaining time back. As on Linux, a fault is no error (the limit may be in read-only memory), and a
    /// limit of zero is not written.
    pub(crate) fn write_back(&self, space: &AddressSpace) {
        let Timeout::At(end) = self.timeout else {
            return;
        };
        let rest = end.saturating_sub(clock::now());
        let _ = match self.target {
            WriteBack::Nowhere => Ok(()),
            WriteBack::Timespec(address) => UserPtr::new(space, address).write(&Timespec::from(rest)),
            WriteBack::Timeval(address) => UserPtr::new(space, address).write(&Timeval::from(rest)),
        };
    }
}
