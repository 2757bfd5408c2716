//! A request against every kind of segment, and its connection.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::net::tcp::TcpState;

const ROUTE: PathKind = PathKind::Link { mtu: 1500 };
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 15), 80);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 2), 40000);
const THEN: Duration = Duration::from_secs(5);

/// A client, its SYN, and what came of it.
fn begin() -> (Connection, ConnectionRequest, PacketBatch) {
    let tuple = Tuple { local: CLIENT, remote: SERVER };
    let mut client = Connection::connect(tuple, ROUTE, Resources::unlimited(7), &Options::default(), THEN);
    let (mut syn, mut answers) = (PacketBatch::new(), PacketBatch::new());
    let _ = client.settle(THEN, &mut syn);
    let request = ConnectionRequest::new(syn[0].ip(), ROUTE, 1234, &Options::default(), THEN, &mut answers)
        .expect("a SYN");
    (client, request, answers)
}

fn deliver(connection: &mut Connection, packet: &Packet, now: Duration) -> PacketBatch {
    let mut out = PacketBatch::new();
    let segment = Segment::parse(packet.ip()).expect("a segment");
    let _ = connection.process(&segment, &mut packet.clone(), now, &mut out);
    out
}

#[test]
fn it_is_small_and_its_answer_is_always_the_same() {
    let (_, request, answers) = begin();
    assert!(size_of::<ConnectionRequest>() <= 96, "{}", size_of::<ConnectionRequest>());
    let mut again = PacketBatch::new();
    request.answer(ROUTE, &Options::default(), THEN * 2, &mut again);
    assert_eq!(answers, again);
    assert_eq!(answers.len(), 1);
}

#[test]
fn what_completes_it_makes_a_connection_that_works() {
    let (mut client, mut request, answers) = begin();
    let later = THEN + Duration::from_millis(30);
    let acknowledgment = deliver(&mut client, &answers[0], later);
    let segment = Segment::parse(acknowledgment[0].ip()).expect("a segment");
    assert_eq!(request.judge(&segment, later), RequestVerdict::Complete);
    let mut server = request.complete(ROUTE, &Options::default(), later, |_| true);
    assert_eq!(server.state(), TcpState::SynReceived);
    deliver(&mut server, &acknowledgment[0], later);
    assert_eq!((client.state(), server.state()), (TcpState::Established, TcpState::Established));
    assert_eq!(server.segment_len(), 1460);
}

#[test]
fn the_answer_is_repeated_five_times_and_then_forgotten() {
    let (_, mut request, _) = begin();
    let mut repeats = std::vec::Vec::new();
    for second in 0.. {
        match request.expire(THEN + Duration::from_secs(second)) {
            RequestAction::Nothing => {}
            RequestAction::Repeat => repeats.push(second),
            RequestAction::Forget => {
                assert_eq!(second, 63);
                break;
            }
        }
    }
    assert_eq!(repeats, [1, 3, 7, 15, 31]);
}

#[test]
fn each_segment_means_what_it_means_on_linux() {
    let (.., answers) = begin();
    let first = Segment::parse(answers[0].ip()).expect("a segment").sequence;
    let soon = THEN + Duration::from_millis(10);
    let late = THEN + Duration::from_millis(600);
    let plain = |request: &ConnectionRequest| Segment {
        tuple: request.tuple,
        sequence: request.sequence.wrapping_add(1),
        acknowledgment: first.wrapping_add(1),
        window: 1000,
        len: 0,
        start: 40,
        has_syn: false,
        has_ack: false,
        has_fin: false,
        has_rst: false,
    };
    type Change = fn(&mut Segment);
    let cases: [(Change, Duration, RequestVerdict); 14] = [
        (|s| s.has_ack = true, soon, RequestVerdict::Complete),
        (|_| (), soon, RequestVerdict::Ignore),
        (|s| s.has_fin = true, soon, RequestVerdict::Ignore),
        (|s| (s.has_ack, s.has_fin) = (true, true), soon, RequestVerdict::Complete),
        (|s| (s.has_ack, s.len, s.sequence) = (true, 9, s.sequence + 5), soon, RequestVerdict::Complete),
        (|s| (s.has_ack, s.acknowledgment) = (true, s.acknowledgment + 1), soon, RequestVerdict::Refuse),
        (|s| s.has_rst = true, soon, RequestVerdict::Withdraw),
        (|s| (s.has_rst, s.sequence) = (true, s.sequence - 1), late, RequestVerdict::Ignore),
        (|s| s.has_syn = true, soon, RequestVerdict::RefuseAndWithdraw),
        (|s| (s.has_syn, s.sequence) = (true, s.sequence - 1), soon, RequestVerdict::Ignore),
        (|s| (s.has_syn, s.sequence) = (true, s.sequence - 1), late, RequestVerdict::Repeat),
        (|s| (s.has_ack, s.sequence) = (true, s.sequence + 70_000), soon, RequestVerdict::Ignore),
        (|s| (s.has_ack, s.sequence) = (true, s.sequence + 70_000), late, RequestVerdict::Acknowledge),
        (|s| (s.has_syn, s.sequence) = (true, s.sequence - 70_000), late, RequestVerdict::Acknowledge),
    ];
    for (number, (change, now, expected)) in cases.into_iter().enumerate() {
        let (_, mut request, _) = begin();
        let mut segment = plain(&request);
        change(&mut segment);
        assert_eq!(request.judge(&segment, now), expected, "case {number}");
    }
}
