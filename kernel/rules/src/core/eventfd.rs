//! A 64-bit counter to wait for.
//!
//! Owns: the count.   Not here: the eight bytes in user memory (object/eventfd), sleeping (`pollee::wait`).
//! Invariant: count < 2⁶⁴ − 1; that last value is Linux's mark for an overflow, which only the kernel itself
//! could cause.
//! Source: eventfd(2); Linux 6.1 fs/eventfd.c.

use core::task::Poll;

use pollee::{Events, Readiness};

use crate::abi::errno::Errno;

/// Bytes of the value that is read and written.
pub const VALUE_SIZE: usize = size_of::<u64>();

/// What a read takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// All of the count.
    Counter,
    /// One unit of it: `EFD_SEMAPHORE`.
    Semaphore,
}

/// The state of an eventfd.
#[derive(Debug)]
pub struct EventFd {
    count: u64,
    mode: Mode,
}

impl EventFd {
    /// A counter that starts at `initial`.
    #[must_use]
    pub const fn new(initial: u32, mode: Mode) -> Self {
        Self { count: initial as u64, mode }
    }

    /// What a read would give, and nothing if it would have to wait. Nothing is taken yet.
    pub fn peek(&self) -> Poll<u64> {
        match (self.count, self.mode) {
            (0, _) => Poll::Pending,
            (count, Mode::Counter) => Poll::Ready(count),
            (_, Mode::Semaphore) => Poll::Ready(1),
        }
    }

    /// Takes what [`peek`](Self::peek) showed, after it has been handed over.
    pub fn take(&mut self) {
        match self.mode {
            Mode::Counter => self.count = 0,
            Mode::Semaphore => self.count = self.count.saturating_sub(1),
        }
    }

    /// Adds `value`, and waits if the sum would not stay below 2⁶⁴ − 1.
    ///
    /// # Errors
    /// `EINVAL`: the value is 2⁶⁴ − 1, which never fits; nothing was added.
    pub fn write(&mut self, value: u64) -> Poll<Result<(), Errno>> {
        if value == u64::MAX {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        match self.count.checked_add(value) {
            None | Some(u64::MAX) => Poll::Pending,
            Some(sum) => {
                self.count = sum;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Readiness for EventFd {
    /// `IN` and `OUT` alone: eventfd_poll knows nothing of `RDNORM` and `WRNORM`.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.count > 0);
        events.set(Events::OUT, self.count < u64::MAX - 1);
        events
    }
}

#[cfg(test)]
mod tests {
    use core::task::Poll;

    use pollee::{Events, Readiness};
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};

    use super::{EventFd, Mode};
    use crate::abi::errno::Errno;

    fn read(event: &mut EventFd) -> Poll<u64> {
        let value = event.peek();
        if value.is_ready() {
            event.take();
        }
        value
    }

    #[test]
    fn a_counter_gives_everything_at_once() {
        let mut event = EventFd::new(3, Mode::Counter);
        assert_eq!(event.write(4), Poll::Ready(Ok(())));
        assert_eq!(read(&mut event), Poll::Ready(7));
        assert_eq!(read(&mut event), Poll::Pending);
    }

    #[test]
    fn a_semaphore_gives_one_at_a_time() {
        let mut event = EventFd::new(2, Mode::Semaphore);
        assert_eq!(read(&mut event), Poll::Ready(1));
        assert_eq!(read(&mut event), Poll::Ready(1));
        assert_eq!(read(&mut event), Poll::Pending);
    }

    #[test]
    fn the_last_value_is_never_reached() {
        let mut event = EventFd::new(1, Mode::Counter);
        assert_eq!(event.write(u64::MAX), Poll::Ready(Err(Errno::EINVAL)));
        assert_eq!(event.write(u64::MAX - 1), Poll::Pending);
        assert_eq!(event.write(u64::MAX - 2), Poll::Ready(Ok(())));
        assert_eq!(event.readiness(), Events::IN);
        assert_eq!(event.write(0), Poll::Ready(Ok(())));
        assert_eq!(event.write(1), Poll::Pending);
        assert_eq!(read(&mut event), Poll::Ready(u64::MAX - 1));
        assert_eq!(event.readiness(), Events::OUT);
    }

    proptest! {
        #[test]
        fn it_is_a_sum_and_never_pending_where_it_is_ready(
            initial in any::<u32>(),
            operations in proptest::collection::vec(prop_oneof![
                any::<u64>().prop_map(Some), (0..5_u64).prop_map(Some),
                (0..5_u64).prop_map(|less| Some(u64::MAX - less)), proptest::strategy::Just(None)], 0..40)
        ) {
            let mut event = EventFd::new(initial, Mode::Counter);
            let mut sum = u128::from(initial);
            for operation in operations {
                let ready = event.readiness();
                assert_eq!(ready.contains(Events::IN), sum > 0);
                assert_eq!(ready.contains(Events::OUT), event.count < u64::MAX - 1);
                match operation {
                    None => {
                        let expected = if sum == 0 { Poll::Pending } else { Poll::Ready(sum) };
                        assert_eq!(read(&mut event).map(u128::from), expected);
                        sum = 0;
                    }
                    Some(u64::MAX) => assert_eq!(event.write(u64::MAX), Poll::Ready(Err(Errno::EINVAL))),
                    Some(value) => {
                        let fits = sum + u128::from(value) < u128::from(u64::MAX);
                        assert_eq!(event.write(value).is_ready(), fits);
                        sum += if fits { u128::from(value) } else { 0 };
                    }
                }
            }
        }
    }
}
