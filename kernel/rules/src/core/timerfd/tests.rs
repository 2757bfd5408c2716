//! Expirations of one-shot and periodic timers.

use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};
use proptest::prelude::proptest;

use super::{Setting, TimerFd};

const ZERO: Duration = Duration::ZERO;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn it_expires_once_without_an_interval() {
    let mut timer = TimerFd::default();
    assert_eq!(timer.set(ms(0), Some(ms(10)), ZERO), Setting::default());
    assert!(!timer.expire(ms(9)));
    assert_eq!(timer.get(ms(4)), Setting { left: ms(6), interval: ZERO });
    assert!(timer.expire(ms(10)));
    assert!(!timer.expire(ms(11)));
    assert_eq!(timer.readiness(), Events::IN);
    assert_eq!(timer.peek(ms(50)), Poll::Ready(1));
    timer.take();
    assert_eq!(timer.peek(ms(60)), Poll::Pending);
    assert_eq!(timer.get(ms(60)), Setting::default());
}

#[test]
fn a_read_starts_the_next_interval() {
    let mut timer = TimerFd::default();
    timer.set(ms(0), Some(ms(10)), ms(5));
    assert!(timer.expire(ms(11)));
    assert_eq!(timer.due(), None, "not before a read");
    assert_eq!(timer.peek(ms(27)), Poll::Ready(4));
    assert_eq!(timer.due(), Some(ms(30)));
    timer.take();
    assert_eq!(timer.get(ms(28)), Setting { left: ms(2), interval: ms(5) });
}

#[test]
fn setting_forgets() {
    let mut timer = TimerFd::default();
    timer.set(ms(0), Some(ms(1)), ms(1));
    assert!(timer.expire(ms(1)));
    timer.set(ms(2), None, ms(9));
    assert_eq!(timer.readiness(), Events::empty());
    assert!(!timer.expire(ms(99)));
}

proptest! {
    #[test]
    fn every_expiration_is_counted_once(first in 1..50_u64, interval in 1..20_u64,
                                        steps in proptest::collection::vec(1..30_u64, 1..40)) {
        let mut timer = TimerFd::default();
        timer.set(ZERO, Some(ms(first)), ms(interval));
        let (mut now, mut total) = (0, 0);
        for step in steps {
            now += step;
            timer.expire(ms(now));
            if let Poll::Ready(count) = timer.peek(ms(now)) {
                total += count;
                timer.take();
            }
            // Catching up and expiring at the same moment: the next read has seen what is due now.
            let expected = if now < first { 0 } else { 1 + (now - first) / interval };
            assert_eq!(total, expected);
            let next = timer.due().expect("an interval timer is always due after a look");
            assert!(next > ms(now) || now < first);
        }
    }
}
