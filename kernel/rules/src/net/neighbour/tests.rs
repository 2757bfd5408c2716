//! Questions, answers and silence.

use super::*;

const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn packet(number: u8) -> Packet {
    Packet::from_ip(&[number])
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn packets_wait_for_the_answer_and_leave_in_order() {
    let mut neighbours = Neighbours::new();
    assert_eq!(neighbours.send(PEER, packet(1), at(0)), Resolution::Wait(Ask::Now));
    assert_eq!(neighbours.send(PEER, packet(2), at(0)), Resolution::Wait(Ask::No));
    assert_eq!(neighbours.learn(PEER, MAC, false, at(0)), [packet(1), packet(2)]);
    assert_eq!(neighbours.send(PEER, packet(3), at(29)), Resolution::Send(MAC, packet(3), Ask::No));
}

#[test]
fn a_silent_neighbour_is_asked_three_times() {
    let mut neighbours = Neighbours::new();
    neighbours.send(PEER, packet(1), at(0));
    assert_eq!(neighbours.expire(at(0)), NeighbourTimers { next: Some(at(1)), ..NeighbourTimers::default() });
    for second in 1..3 {
        let expected = NeighbourTimers {
            ask: Vec::from([PEER]),
            next: Some(at(second + 1)),
            ..NeighbourTimers::default()
        };
        assert_eq!(neighbours.expire(at(second)), expected);
    }
    assert_eq!(
        neighbours.expire(at(3)),
        NeighbourTimers { lost: Vec::from([packet(1)]), ..NeighbourTimers::default() }
    );
    assert_eq!(neighbours.send(PEER, packet(2), at(3)), Resolution::Wait(Ask::Now));
}

#[test]
fn a_known_one_is_asked_again_in_use_and_then_forgotten() {
    let mut neighbours = Neighbours::new();
    neighbours.learn(PEER, MAC, true, at(0));
    assert_eq!(neighbours.send(PEER, packet(1), at(30)), Resolution::Send(MAC, packet(1), Ask::Now));
    assert_eq!(neighbours.send(PEER, packet(1), at(30)), Resolution::Send(MAC, packet(1), Ask::No));
    assert_eq!(neighbours.send(PEER, packet(1), at(60)), Resolution::Wait(Ask::Now));
}

#[test]
fn strangers_are_not_learned_and_there_are_never_too_many() {
    let mut neighbours = Neighbours::new();
    assert!(neighbours.learn(PEER, MAC, false, at(0)).is_empty());
    assert_eq!(neighbours.send(PEER, packet(0), at(0)), Resolution::Wait(Ask::Now));
    for number in 0..2 * MOST as u32 {
        neighbours.learn(Ipv4Addr::from(number), MAC, true, at(u64::from(number)));
    }
    assert_eq!(neighbours.0.len(), MOST);
    for number in 0..=255 {
        neighbours.send(PEER, packet(number), at(0));
    }
    let waiting = neighbours.learn(PEER, MAC, false, at(1));
    assert_eq!((waiting.len(), waiting.back()), (MOST_WAITING, Some(&packet(255))));
}
