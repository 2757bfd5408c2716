//! Datagrams without a network.

use alloc::vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;

use super::datagram::{self, Arrival, Datagram};
use super::port::UdpPorts;
use super::socket::UdpSocketState;
use crate::abi::errno::Errno;
use crate::net::tcp::PathKind;
use crate::net::tcp::connection::RecvMode;
use crate::net::tcp::port::{Owner, Sharing};

fn at(host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), port)
}

#[test]
fn a_datagram_is_read_as_it_was_made() {
    for route in [PathKind::Local, PathKind::Link { mtu: 1500 }] {
        let packet = datagram::make(at(1, 5), at(2, 6), &mut &b"word"[..], route).unwrap();
        let datagram = Datagram { from: at(1, 5), to: at(2, 6), bytes: b"word" };
        assert_eq!(datagram::parse(packet.ip()), Some(Arrival::Datagram(datagram)));
    }
}

#[test]
fn damage_is_noticed_where_it_can_happen() {
    let packet = datagram::make(at(1, 5), at(2, 6), &mut &b"word"[..], PathKind::Link { mtu: 1500 }).unwrap();
    for byte in 0..packet.ip().len() {
        let mut bytes = packet.ip().to_vec();
        bytes[byte] ^= 0x10;
        if let Some(Arrival::Datagram(datagram)) = datagram::parse(&bytes) {
            assert_eq!(datagram.bytes, b"word", "only what the checksum does not cover: byte {byte}");
        }
        assert!(datagram::parse(&packet.ip()[..byte]).is_none());
    }
}

#[test]
fn a_refusal_says_what_it_refuses() {
    let packet = datagram::make(at(1, 5), at(2, 6), &mut &b"word"[..], PathKind::Local).unwrap();
    let refusal = datagram::refuse(packet.ip()).unwrap();
    let failure = Arrival::Failure(at(1, 5), at(2, 6), Errno::ECONNREFUSED);
    assert_eq!(datagram::parse(refusal.ip()), Some(failure));
}

#[test]
fn long_datagrams_are_refused() {
    let make = |len, route| datagram::make(at(1, 5), at(2, 6), &mut &vec![0; len][..], route).map(drop);
    assert_eq!(make(65_507, PathKind::Local), Ok(()));
    assert_eq!(make(65_508, PathKind::Local), Err(Errno::EMSGSIZE));
    assert_eq!(make(1472, PathKind::Link { mtu: 1500 }), Ok(()));
    assert_eq!(make(1473, PathKind::Link { mtu: 1500 }), Err(Errno::EMSGSIZE));
}

#[test]
fn the_closest_socket_gets_a_datagram() {
    let mut ports = UdpPorts::new();
    let shared = Sharing { address: true, port: None };
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 7);
    assert_eq!(ports.bind(Owner(1), any, shared, 0, 'a'), Ok(7));
    assert_eq!(ports.bind(Owner(2), at(1, 7), Sharing::default(), 0, 'b'), Err(Errno::EADDRINUSE));
    assert_eq!(ports.bind(Owner(2), at(1, 7), shared, 0, 'b'), Ok(7));
    assert_eq!(ports.bind(Owner(3), at(1, 7), shared, 0, 'c'), Ok(7));
    ports.connect(Owner(3), at(1, 7), Some(at(9, 9)));
    assert_eq!(ports.find(at(8, 8), at(2, 7)), Some(&'a'));
    assert_eq!(ports.find(at(8, 8), at(1, 7)), Some(&'b'));
    assert_eq!(ports.find(at(9, 9), at(1, 7)), Some(&'c'));
    assert_eq!(ports.find(at(8, 8), at(1, 8)), None);
    ports.release(Owner(3), 7);
    assert_eq!(ports.find(at(9, 9), at(1, 7)), Some(&'b'));
    let free = ports.bind(Owner(4), at(1, 0), Sharing::default(), 5, 'd').unwrap();
    assert!(free >= 32768);
}

#[test]
fn what_there_is_no_room_for_is_lost() {
    let mut socket = UdpSocketState::new();
    socket.options_mut().receive_buffer = 1000;
    let taken = (0..100).filter(|_| socket.push(at(1, 5), &[0; 100])).count();
    assert!((2..10).contains(&taken), "{taken}");
    let mut bytes = [0; 50];
    for _ in 0..taken {
        let Poll::Ready(Ok(taken)) = socket.receive(&mut &mut bytes[..], RecvMode::Consume) else {
            panic!("a datagram");
        };
        assert_eq!((taken.count, taken.len), (50, 100));
    }
    assert_eq!(socket.receive(&mut &mut bytes[..], RecvMode::Consume), Poll::Pending);
}
