//! The structures for times.
//!
//! Source: Linux 6.1 include/uapi/linux/time_types.h, include/uapi/linux/time.h.

use core::time::Duration;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::errno::Errno;

const NANOSECONDS: i64 = 1_000_000_000;
const MICROSECONDS: i64 = 1_000_000;

/// `struct timespec`, as the kernel's side of a 64-bit program has it.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct Timespec {
    /// Whole seconds.
    pub seconds: i64,
    /// Beyond them.
    pub nanoseconds: i64,
}

/// `struct timeval`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct Timeval {
    /// Whole seconds.
    pub seconds: i64,
    /// Beyond them.
    pub microseconds: i64,
}

impl Timespec {
    /// Returns the length of time.
    ///
    /// # Errors
    /// `EINVAL`: negative, or the nanoseconds make a second.
    pub fn to_duration(self) -> Result<Duration, Errno> {
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        let nanoseconds = u32::try_from(self.nanoseconds).map_err(|_| Errno::EINVAL)?;
        if self.nanoseconds >= NANOSECONDS {
            return Err(Errno::EINVAL);
        }
        Ok(Duration::new(seconds, nanoseconds))
    }
}

impl From<Duration> for Timespec {
    fn from(duration: Duration) -> Self {
        Self {
            seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: i64::from(duration.subsec_nanos()),
        }
    }
}

impl Timeval {
    /// Returns the length of time as select(2) takes it: microseconds may make seconds.
    ///
    /// # Errors
    /// `EINVAL`: negative.
    pub fn to_duration(self) -> Result<Duration, Errno> {
        let seconds = self.seconds.wrapping_add(self.microseconds / MICROSECONDS);
        let nanoseconds = self.microseconds % MICROSECONDS * (NANOSECONDS / MICROSECONDS);
        Timespec { seconds, nanoseconds }.to_duration()
    }
}

impl From<Duration> for Timeval {
    fn from(duration: Duration) -> Self {
        Self {
            seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            microseconds: i64::from(duration.subsec_micros()),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Errno, Timespec, Timeval};

    #[test]
    fn a_timespec_has_less_than_a_second_of_nanoseconds() {
        let duration = |seconds, nanoseconds| Timespec { seconds, nanoseconds }.to_duration();
        assert_eq!(duration(1, 999_999_999), Ok(Duration::new(1, 999_999_999)));
        assert_eq!(duration(0, 1_000_000_000), Err(Errno::EINVAL));
        assert_eq!(duration(0, -1), Err(Errno::EINVAL));
        assert_eq!(duration(-1, 0), Err(Errno::EINVAL));
        assert_eq!(duration(i64::MAX, 0), Ok(Duration::from_secs(u64::MAX / 2)));
    }

    #[test]
    fn the_microseconds_of_a_timeval_may_be_many() {
        let duration = |seconds, microseconds| Timeval { seconds, microseconds }.to_duration();
        assert_eq!(duration(1, 2_500_000), Ok(Duration::from_millis(3500)));
        assert_eq!(duration(2, -1_000_000), Ok(Duration::from_secs(1)));
        assert_eq!(duration(2, -1), Err(Errno::EINVAL));
        assert_eq!(duration(i64::MAX, i64::MAX), Err(Errno::EINVAL));
    }
}
