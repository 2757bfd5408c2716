//! Reads, writes and overflow, in both modes.

use core::task::Poll;

use pollee::{Events, Readiness};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::{EventFd, EventFdMode};
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
    let mut event = EventFd::new(3, EventFdMode::Counter);
    assert_eq!(event.write(4), Poll::Ready(Ok(())));
    assert_eq!(read(&mut event), Poll::Ready(7));
    assert_eq!(read(&mut event), Poll::Pending);
}

#[test]
fn a_semaphore_gives_one_at_a_time() {
    let mut event = EventFd::new(2, EventFdMode::Semaphore);
    assert_eq!(read(&mut event), Poll::Ready(1));
    assert_eq!(read(&mut event), Poll::Ready(1));
    assert_eq!(read(&mut event), Poll::Pending);
}

#[test]
fn the_last_value_is_never_reached() {
    let mut event = EventFd::new(1, EventFdMode::Counter);
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
        let mut event = EventFd::new(initial, EventFdMode::Counter);
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
