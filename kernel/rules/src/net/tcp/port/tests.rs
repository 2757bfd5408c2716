//! Which bindings of one port go together.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::BTreeSet;
use std::vec::Vec;

use super::{EPHEMERAL, Owner, Purpose, Sharing, TcpPorts, candidates};
use crate::abi::errno::Errno;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ALONE: Sharing = Sharing { address: false, port: None };
const REUSE: Sharing = Sharing { address: true, port: None };
const GROUP: Sharing = Sharing { address: false, port: Some(0) };

fn at(address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, 80)
}

#[test]
fn an_address_is_one_s_alone_unless_all_share_it() {
    for (first, second, expected) in [
        (ALONE, ALONE, Err(Errno::EADDRINUSE)),
        (REUSE, ALONE, Err(Errno::EADDRINUSE)),
        (REUSE, REUSE, Ok(())),
        (GROUP, GROUP, Ok(())),
        (GROUP, REUSE, Err(Errno::EADDRINUSE)),
    ] {
        let mut ports = TcpPorts::<()>::new();
        ports.bind(Owner(1), at(ANY), first).unwrap();
        assert_eq!(ports.bind(Owner(2), at(LO), second), expected);
    }
}

#[test]
fn other_addresses_do_not_conflict() {
    let mut ports = TcpPorts::<()>::new();
    ports.bind(Owner(1), at(LO), ALONE).unwrap();
    ports.bind(Owner(2), at(Ipv4Addr::new(127, 0, 0, 2)), ALONE).unwrap();
}

#[test]
fn reuse_does_not_help_against_a_listener() {
    let mut ports = TcpPorts::new();
    ports.bind(Owner(1), at(LO), REUSE).unwrap();
    ports.bind(Owner(2), at(LO), REUSE).unwrap();
    ports.listen(Owner(1), at(LO), 'a').unwrap();
    assert_eq!(ports.listen(Owner(2), at(LO), 'b'), Err(Errno::EADDRINUSE));
    assert_eq!(ports.bind(Owner(3), at(LO), REUSE), Err(Errno::EADDRINUSE));
    ports.unlisten(Owner(1), 80);
    ports.listen(Owner(2), at(LO), 'b').unwrap();
}

#[test]
fn the_exact_address_comes_first() {
    let mut ports = TcpPorts::new();
    ports.bind(Owner(1), at(ANY), GROUP).unwrap();
    ports.bind(Owner(2), at(LO), GROUP).unwrap();
    ports.listen(Owner(1), at(ANY), 'a').unwrap();
    assert_eq!(ports.listener(at(LO), 7), Some('a'));
    ports.listen(Owner(2), at(LO), 'b').unwrap();
    assert_eq!(ports.listener(at(LO), 7), Some('b'));
    assert_eq!(ports.listener(at(Ipv4Addr::new(127, 0, 0, 2)), 7), Some('a'));
}

#[test]
fn connections_keep_a_port_from_those_who_do_not_share() {
    let mut ports = TcpPorts::<()>::new();
    ports.connect(80, REUSE);
    assert_eq!(ports.bind(Owner(1), at(LO), ALONE), Err(Errno::EADDRINUSE));
    ports.bind(Owner(1), at(LO), REUSE).unwrap();
    ports.disconnect(80, REUSE);
    ports.release(Owner(1), 80);
    assert!(ports.ports.is_empty());
}

#[test]
fn the_system_s_choice_is_free_and_comes_to_an_end() {
    let mut ports = TcpPorts::<()>::new();
    let left = [40_000, 50_001];
    for port in EPHEMERAL.filter(|port| !left.contains(port)) {
        ports.bind(Owner(0), SocketAddrV4::new(LO, port), ALONE).unwrap();
    }
    assert_eq!(ports.bind_any(Owner(1), LO, ALONE, 7), Ok(50_001));
    assert_eq!(ports.bind_any(Owner(2), LO, ALONE, 7), Ok(40_000));
    assert_eq!(ports.bind_any(Owner(3), LO, ALONE, 7), Err(Errno::EADDRINUSE));
    ports.release(Owner(0), *EPHEMERAL.end());
    assert_eq!(ports.bind_any(Owner(3), LO, ALONE, 7), Ok(*EPHEMERAL.end()));
}

#[test]
fn those_who_connect_and_those_who_are_found_take_different_ports_first() {
    let half = EPHEMERAL.len() / 2;
    for start in [0, 1, u16::MAX] {
        for (purpose, parity) in [(Purpose::Bind, 1), (Purpose::Connect, 0)] {
            let ports: Vec<u16> = candidates(start, purpose).collect();
            assert!(ports[..half].iter().all(|port| port % 2 == parity), "{purpose:?}");
            assert_eq!(ports.len(), EPHEMERAL.len());
            assert_eq!(ports.into_iter().collect::<BTreeSet<_>>(), EPHEMERAL.collect());
        }
    }
}
