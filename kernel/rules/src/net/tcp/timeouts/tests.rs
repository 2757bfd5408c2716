//! Keep-alive probes, the user time-out and the last retransmission.

use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn options() -> Options {
    Options { keep_alive: true, keep_idle: at(10), keep_interval: at(2), keep_count: 2, ..Options::default() }
}

#[test]
fn a_silent_peer_is_asked_as_often_as_the_rules_say_and_then_given_up() {
    let mut timeouts = Timeouts::new(TimeoutOptions::new(&options()), at(100));
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(109)), TimeoutAction::Nothing);
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(110)), TimeoutAction::Probe);
    assert_eq!(timeouts.next(RunningTimer::KeepAlive, at(110)), Some(at(112)));
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(112)), TimeoutAction::Probe);
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(113)), TimeoutAction::Nothing);
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(114)), TimeoutAction::Abort);
}

#[test]
fn an_answer_begins_it_again() {
    let mut timeouts = Timeouts::new(TimeoutOptions::new(&options()), at(100));
    assert_eq!(timeouts.due(RunningTimer::KeepAlive, at(110)), TimeoutAction::Probe);
    timeouts.hear(at(111));
    assert_eq!(timeouts.next(RunningTimer::KeepAlive, at(111)), Some(at(121)));
}

#[test]
fn bytes_wait_as_long_as_the_user_says_without_progress() {
    let options = Options { user_timeout: Some(at(5)), ..Options::default() };
    let mut timeouts = Timeouts::new(TimeoutOptions::new(&options), at(0));
    assert_eq!(timeouts.due(RunningTimer::Retransmission, at(10)), TimeoutAction::Nothing);
    timeouts.hear(at(14));
    assert_eq!(timeouts.next(RunningTimer::Retransmission, at(14)), Some(at(15)), "an answer is no progress");
    timeouts.progress();
    assert_eq!(timeouts.due(RunningTimer::Retransmission, at(14)), TimeoutAction::Nothing);
    assert_eq!(timeouts.due(RunningTimer::Retransmission, at(19)), TimeoutAction::Abort);
}

#[test]
fn without_the_user_s_word_a_peer_that_answers_is_waited_for() {
    let mut timeouts = Timeouts::new(TimeoutOptions::new(&Options::default()), at(0));
    assert_eq!(timeouts.next(RunningTimer::Retransmission, at(1)), Some(at(925)));
    timeouts.hear(at(100));
    assert_eq!(timeouts.next(RunningTimer::Retransmission, at(100)), Some(at(1024)));
    assert_eq!(timeouts.next(RunningTimer::KeepAlive, at(100)), None);
}
