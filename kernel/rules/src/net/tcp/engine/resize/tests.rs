//! A connection goes on with its numbers after the move to larger buffers.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::net::tcp::Resources;
use crate::net::tcp::path::PathKind;

const ROUTE: PathKind = PathKind::Link { mtu: 1500 };

fn tuple() -> Tuple {
    let [local, remote] = [[10, 0, 2, 15], [10, 0, 2, 2]].map(Ipv4Addr::from);
    Tuple { local: SocketAddrV4::new(local, 40000), remote: SocketAddrV4::new(remote, 80) }
}

#[test]
fn a_seed_makes_smoltcp_begin_with_a_number() {
    for wanted in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xdead_beef, u32::MAX] {
        let now = Duration::from_secs(1);
        let mut engine = Engine::new(ROUTE, None, Resources::unlimited(seed_of(wanted)), now);
        assert!(engine.connect(tuple()));
        let mut out = PacketBatch::new();
        engine.dispatch(now, &mut out);
        assert_eq!(segment::parse_headers(out[0].ip()).unwrap().sequence, wanted);
    }
}

/// A peer whose numbers are near their end, and what it has got.
struct Other {
    engine: Engine,
    now: Duration,
    out: PacketBatch,
    sequence: u32,
    has: u32,
}

impl Other {
    fn hear(&mut self, control: TcpControl, window: u16) {
        let scale = (control == TcpControl::Syn).then_some(7);
        let segment = TcpRepr {
            window_scale: scale,
            max_seg_size: scale.map(|_| 1460),
            sack_permitted: scale.is_some(),
            ..segment::bare(control, self.sequence, Some(self.has), window)
        };
        let back = Tuple { local: tuple().remote, remote: tuple().local };
        let packet = segment::emit(back, &segment, ROUTE);
        let segment = segment::parse_headers(packet.ip()).unwrap();
        self.engine.process(&segment, packet.ip(), self.now, &mut self.out);
    }

    /// Bytes that come now, in order.
    fn bytes(&mut self) -> usize {
        self.engine.dispatch(self.now, &mut self.out);
        let mut total = 0;
        for packet in core::mem::take(&mut self.out) {
            let segment = segment::parse_headers(packet.ip()).unwrap();
            assert_eq!((segment.sequence, segment.acknowledgment), (self.has, self.sequence));
            self.has = segment.end();
            total += segment.len;
        }
        total
    }
}

#[test]
fn after_the_move_numbers_go_on_and_the_window_is_as_large_as_the_peer_said() {
    let now = Duration::from_secs(1);
    let mut engine = Engine::new(ROUTE, None, Resources::unlimited(7), now);
    assert!(engine.connect(tuple()));
    let mut out = PacketBatch::new();
    engine.dispatch(now, &mut out);
    let has = segment::parse_headers(out[0].ip()).unwrap().end();
    let mut other = Other { engine, now, out: PacketBatch::new(), sequence: u32::MAX, has };
    other.now += Duration::from_millis(3);
    other.hear(TcpControl::Syn, 64000);
    other.sequence = 0;
    other.hear(TcpControl::None, 100);
    let mut bytes: &[u8] = &[1; 1000];
    assert_eq!(other.engine.send(&mut bytes), 1000);
    assert_eq!(other.bytes(), 1000);
    assert!(!other.engine.can_grow(), "bytes are on their way");
    // 256 windows of 128 bytes.
    other.hear(TcpControl::None, 256);
    assert!(other.engine.can_grow());
    other.engine.grow(other.now, &mut other.out);
    assert!(!other.engine.can_grow(), "once is enough");
    let window = {
        let last = other.out.last().unwrap();
        segment::parse_headers(last.ip()).unwrap().window
    };
    assert_eq!(usize::from(window), LARGE_BUFFER, "the peer hears of the room");
    assert_eq!(other.bytes(), 0);
    let mut bytes: &[u8] = &[2; 100_000];
    assert_eq!(other.engine.send(&mut bytes), LARGE_BUFFER);
    let mut total = 0;
    loop {
        let more = other.bytes();
        if more == 0 {
            break;
        }
        total += more;
        other.hear(TcpControl::None, 256);
    }
    assert_eq!(total, LARGE_BUFFER);
}
