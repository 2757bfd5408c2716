use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::task::Poll;

use pollee::{Events, Readiness};
use proptest::prelude::*;

use super::dump::Facts;
use super::message::{self, Message, NetlinkFlags, Recipient};
use super::port::PortIds;
use super::request::Privilege;
use super::socket::{NetlinkSocketState, NetlinkSwitches};
use crate::abi::errno::Errno;
use crate::net::abi::netdevice::{self, Interface, LOOPBACK};
use crate::net::network::Network;
use crate::net::route;
use crate::net::socket::SEND_ROOM;
use crate::net::tcp::connection::RecvMode;
use crate::net::traffic::Traffic;

const TO: Recipient = Recipient { sequence: 5, port: 0 };

fn facts() -> Facts {
    let lo = Interface {
        name: "lo",
        index: 1,
        flags: netdevice::Flags::UP,
        address: Ipv4Addr::LOCALHOST,
        mask: Ipv4Addr::new(255, 0, 0, 0),
        broadcast: Ipv4Addr::UNSPECIFIED,
        mtu: 65536,
        hardware: (LOOPBACK, [0; 6]),
    };
    // More than any machine has, so that lists need several datagrams.
    let interfaces = (1..=20).map(|index| (Interface { index, ..lo }, Traffic::default())).collect();
    Facts { interfaces, routes: route::all(Some(&Network::QEMU_USER)) }
}

fn ask(socket: &mut NetlinkSocketState, datagram: &[u8]) -> bool {
    socket.ask(datagram, Privilege::Root, &facts())
}

fn request(kind: u16, flags: NetlinkFlags, body: &[u8]) -> Vec<u8> {
    Message::new(kind, flags | NetlinkFlags::REQUEST, TO).with(body).finish()
}

fn next(socket: &mut NetlinkSocketState) -> Poll<Result<Vec<u8>, Errno>> {
    let mut bytes = vec![0; 8192];
    socket.receive(&mut &mut bytes[..], RecvMode::Consume).map_ok(|(count, _)| bytes[..count].to_vec())
}

fn kind(message: &[u8]) -> u16 {
    u16::from_ne_bytes([message[4], message[5]])
}

#[test]
fn a_list_comes_in_parts_and_ends() {
    let mut socket = NetlinkSocketState::new();
    assert!(ask(&mut socket, &request(18, NetlinkFlags::DUMP, &[0])));
    let (mut links, mut datagrams) = (0, 0);
    loop {
        let Poll::Ready(Ok(datagram)) = next(&mut socket) else { panic!("it ends with its end") };
        if kind(&datagram) == message::DONE {
            break;
        }
        datagrams += 1;
        assert!(datagram.len() <= 3776);
        let mut rest = &datagram[..];
        while let Some(&[a, b, c, d]) = rest.first_chunk() {
            assert_eq!(kind(rest), 16);
            links += 1;
            rest = &rest[u32::from_ne_bytes([a, b, c, d]) as usize..];
        }
    }
    assert_eq!(links, 20);
    assert!(datagrams > 1);
    assert_eq!(next(&mut socket), Poll::Pending);
}

#[test]
fn a_full_socket_loses_answers_and_says_so_once() {
    let mut socket = NetlinkSocketState::new();
    socket.options_mut().receive_buffer = 1000;
    for _ in 0..9 {
        ask(&mut socket, &request(99, NetlinkFlags::empty(), &[0]));
    }
    assert_eq!(socket.readiness(), Events::ERR | Events::READABLE | SEND_ROOM);
    assert_eq!(next(&mut socket), Poll::Ready(Err(Errno::ENOBUFS)));
    for left in (0..4).rev() {
        assert!(matches!(next(&mut socket), Poll::Ready(Ok(_))));
        let has_come = ask(&mut socket, &request(99, NetlinkFlags::empty(), &[0]));
        assert_eq!(has_come, left == 0, "nothing before it is empty");
    }
    assert!(ask(&mut socket, &request(18, NetlinkFlags::DUMP, &[0])));
    socket.set_switches(NetlinkSwitches::NO_ENOBUFS, true);
    for _ in 0..9 {
        ask(&mut socket, &request(99, NetlinkFlags::empty(), &[0]));
    }
    assert!(matches!(next(&mut socket), Poll::Ready(Ok(_))));
}

#[test]
fn numbers_are_the_process_s_or_negative() {
    let mut ports = PortIds::new();
    assert_eq!(ports.bind_any(17, 0), 17);
    assert_eq!(ports.bind_any(17, 0), 1 << 31);
    assert_eq!(ports.bind_any(17, 0), 0_u32.wrapping_sub(4097), "round again");
    assert_eq!(ports.bind(17), Err(Errno::EADDRINUSE));
    ports.release(17);
    assert_eq!(ports.bind(17), Ok(()));
}

proptest! {
    #[test]
    fn no_datagram_is_too_bad(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        ask(&mut NetlinkSocketState::new(), &bytes);
    }

    #[test]
    fn no_request_is_too_bad(
        kind in 16_u16..32,
        flags in any::<u16>(),
        body in prop::collection::vec(any::<u8>(), 0..80),
        lie in prop::option::of(0_u32..200),
    ) {
        let mut bytes = request(kind, NetlinkFlags::from_bits_truncate(flags), &body);
        if let Some(len) = lie {
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
        }
        let mut socket = NetlinkSocketState::new();
        ask(&mut socket, &bytes);
        while let Poll::Ready(answer) = next(&mut socket) {
            let answer = answer.unwrap();
            prop_assert!(answer.len() >= message::HEADER && answer.len() % 4 == 0);
        }
    }
}
