//! Requests and their answers: lists of interfaces, addresses and routes, one interface, errors.

use std::ffi::CStr;
use std::net::Ipv4Addr;

use libc::{
    AF_INET, AF_UNSPEC, IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP, MSG_DONTWAIT, NLM_F_ACK,
    POLLIN, POLLOUT, RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE, RTM_NEWADDR, RTM_NEWLINK,
    RTM_NEWROUTE, SOL_SOCKET,
};
use pollux_tests::socket::{recv, send, set};
use pollux_tests::unix;
use pollux_tests::{Errno, Fd, poll};

use super::{
    DUMP, Message, NLMSG_DONE, REQUEST, SOL_NETLINK, answers, ask, dump, number, port, route,
};

const ACK: u16 = NLM_F_ACK as u16;

fn text(bytes: &[u8]) -> &str {
    CStr::from_bytes_with_nul(bytes).unwrap().to_str().unwrap()
}

#[test]
fn all_interfaces_are_told_and_then_the_end() {
    let fd = route();
    let links = dump(&fd, RTM_GETLINK, AF_UNSPEC);
    let lo = &links[0];
    assert_eq!(lo.kind, RTM_NEWLINK);
    assert_eq!(lo.body[..2], [AF_UNSPEC as u8, 0]);
    assert_eq!(u16::from_ne_bytes([lo.body[2], lo.body[3]]), libc::ARPHRD_LOOPBACK);
    assert_eq!(number(&lo.body[4..8]), 1);
    let flags = (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP) as u32;
    assert_eq!(number(&lo.body[8..12]), flags);
    assert_eq!(number(&lo.body[12..16]), 0, "what has changed");
    let attribute = |kind: u16| lo.attribute(16, kind).unwrap_or_else(|| panic!("{kind}: {lo:?}"));
    assert_eq!(text(&attribute(libc::IFLA_IFNAME)), "lo");
    assert_eq!(number(&attribute(libc::IFLA_MTU)), 65_536);
    assert_eq!(number(&attribute(libc::IFLA_TXQLEN)), 1000);
    assert_eq!(attribute(libc::IFLA_OPERSTATE), [0], "unknown");
    assert_eq!(attribute(libc::IFLA_LINKMODE), [0]);
    assert_eq!(attribute(libc::IFLA_CARRIER), [1]);
    assert_eq!(attribute(libc::IFLA_ADDRESS), [0; 6]);
    assert_eq!(attribute(libc::IFLA_BROADCAST), [0; 6]);
    assert_eq!(text(&attribute(libc::IFLA_QDISC)), "noqueue");
    assert_eq!(attribute(libc::IFLA_MAP).len(), 32);
    assert_eq!(attribute(libc::IFLA_STATS).len(), 96);
    let long = attribute(libc::IFLA_STATS64);
    assert!(long.len() >= 192, "{}", long.len());
    for (position, link) in links.iter().enumerate() {
        assert_eq!(number(&link.body[4..8]) as usize, position + 1, "in order of their numbers");
    }
}

#[test]
fn one_interface_is_found_by_its_number_or_its_name() {
    let fd = route();
    let mut by_number = [0; 16];
    by_number[4] = 1;
    let lo = ask(&fd, &Message::new(RTM_GETLINK, REQUEST, &by_number));
    assert_eq!((lo.kind, lo.flags, lo.sequence), (RTM_NEWLINK, 0, 7));
    assert_eq!(text(&lo.attribute(16, libc::IFLA_IFNAME).unwrap()), "lo");
    let named = |name: &[u8]| {
        let mut body = vec![0; 16];
        body.extend((4 + name.len() as u16).to_ne_bytes());
        body.extend(libc::IFLA_IFNAME.to_ne_bytes());
        body.extend(name);
        Message::new(RTM_GETLINK, REQUEST, &body)
    };
    assert_eq!(ask(&fd, &named(b"lo\0")).body[..16], lo.body[..16]);
    assert_eq!(ask(&fd, &named(b"none\0")).error(), libc::ENODEV);
    assert_eq!(ask(&fd, &named(b"a-name-that-is-too-long\0")).error(), libc::ERANGE);
    by_number[4] = 99;
    assert_eq!(ask(&fd, &Message::new(RTM_GETLINK, REQUEST, &by_number)).error(), libc::ENODEV);
    let neither = Message::new(RTM_GETLINK, REQUEST, &[0; 16]);
    assert_eq!(ask(&fd, &neither).error(), libc::EINVAL);
    let short = Message::new(RTM_GETLINK, REQUEST, &[0; 15]);
    assert_eq!(ask(&fd, &short).error(), libc::EINVAL);
    by_number[4] = 1;
    let request = Message::new(RTM_GETLINK, REQUEST | ACK, &by_number).bytes();
    send(&fd, &request, 0).unwrap();
    assert_eq!(answers(&fd)[0].kind, RTM_NEWLINK);
    assert_eq!(answers(&fd)[0].error(), 0, "and an acknowledgment");
}

#[test]
fn the_address_of_the_loopback_is_told() {
    let fd = route();
    for family in [AF_UNSPEC, AF_INET] {
        let addresses = dump(&fd, RTM_GETADDR, family);
        let lo = addresses.iter().find(|message| message.body[0] == AF_INET as u8).unwrap();
        assert_eq!(lo.kind, RTM_NEWADDR);
        assert_eq!(lo.body[..8], [AF_INET as u8, 8, 0x80, 254, 1, 0, 0, 0]);
        let attribute = |kind: u16| lo.attribute(8, kind);
        assert_eq!(attribute(libc::IFA_ADDRESS).unwrap(), [127, 0, 0, 1]);
        assert_eq!(attribute(libc::IFA_LOCAL).unwrap(), [127, 0, 0, 1]);
        assert_eq!(attribute(libc::IFA_BROADCAST), None);
        assert_eq!(text(&attribute(libc::IFA_LABEL).unwrap()), "lo");
        assert_eq!(number(&attribute(8).unwrap()), 0x80, "IFA_FLAGS: permanent");
        assert_eq!(attribute(libc::IFA_CACHEINFO).unwrap()[..8], [0xff; 8], "for ever");
    }
}

/// Returns the routes of a table: type, scope, protocol, destination and prefix length.
fn routes(fd: &Fd, table: u8) -> Vec<([u8; 3], Option<Vec<u8>>, u8)> {
    let all = dump(fd, RTM_GETROUTE, AF_INET);
    let of_table = all.iter().filter(|message| message.body[4] == table);
    of_table
        .map(|message| {
            assert_eq!(message.kind, RTM_NEWROUTE);
            assert_eq!(message.body[0], AF_INET as u8);
            let tables = message.attribute(12, libc::RTA_TABLE).unwrap();
            assert_eq!(number(&tables), u32::from(table));
            assert!(message.attribute(12, libc::RTA_OIF).is_some());
            let [.., protocol, scope, kind] = message.body[..8] else { unreachable!() };
            let to = message.attribute(12, libc::RTA_DST);
            ([kind, scope, protocol], to, message.body[1])
        })
        .collect()
}

#[test]
fn the_routes_of_the_loopback_are_told() {
    const LOCAL: u8 = 255;
    let fd = route();
    let local = routes(&fd, LOCAL);
    let own = [libc::RTN_LOCAL, libc::RT_SCOPE_HOST, libc::RTPROT_KERNEL];
    let everybody = [libc::RTN_BROADCAST, libc::RT_SCOPE_LINK, libc::RTPROT_KERNEL];
    let expected = [
        (own, Some(vec![127, 0, 0, 0]), 8),
        (own, Some(vec![127, 0, 0, 1]), 32),
        (everybody, Some(vec![127, 255, 255, 255]), 32),
    ];
    let of_loopback = local.iter().filter(|(_, to, _)| to.as_ref().is_some_and(|to| to[0] == 127));
    assert_eq!(of_loopback.cloned().collect::<Vec<_>>(), expected);
    let (main, table) = (routes(&fd, 254), std::fs::read_to_string("/proc/net/dev").unwrap());
    assert_eq!(main.is_empty(), !table.contains("eth0"), "{main:?}");
}

#[test]
fn what_is_no_request_is_skipped_and_what_is_cut_short_ends_it() {
    let fd = route();
    let silent = [
        Message::new(RTM_GETLINK, 0, &[0; 16]),
        Message::new(RTM_GETLINK, DUMP, &[0; 16]),
        Message::new(0, REQUEST, b""),
        Message::new(NLMSG_DONE, REQUEST, b""),
        Message::new(15, REQUEST, &[1; 3]),
        Message::new(RTM_GETLINK, REQUEST, b""),
        Message::new(RTM_GETLINK, REQUEST | DUMP, b""),
    ];
    for message in silent {
        let bytes = message.bytes();
        assert_eq!(send(&fd, &bytes, 0), Ok(bytes.len()));
        assert_eq!(recv(&fd, 99, MSG_DONTWAIT), Err(Errno::EAGAIN), "{message:?}");
    }
    for len in [0_u32, 15, 21, u32::MAX] {
        let mut bytes = Message::new(99, REQUEST, &[0; 4]).bytes();
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(send(&fd, &bytes, 0), Ok(20));
        assert_eq!(recv(&fd, 99, MSG_DONTWAIT), Err(Errno::EAGAIN), "{len}");
    }
    assert_eq!(send(&fd, &[1; 15], 0), Ok(15));
    assert_eq!(recv(&fd, 99, MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn errors_come_back_with_the_request() {
    let fd = route();
    let unknown = [
        (200, REQUEST, libc::EOPNOTSUPP),
        (u16::MAX, REQUEST, libc::EOPNOTSUPP),
        (RTM_GETADDR, REQUEST, libc::EOPNOTSUPP),
        (92, REQUEST, libc::EOPNOTSUPP),
        (18 + 3 * 32, REQUEST | DUMP, libc::EOPNOTSUPP),
    ];
    for (kind, flags, errno) in unknown {
        let request = Message::new(kind, flags, &[0, 1, 2, 3, 4]);
        let answer = ask(&fd, &request);
        assert_eq!(answer.error(), errno, "{kind}");
        assert_eq!((answer.flags, answer.sequence), (0, 7));
        assert_eq!(answer.port, port(&unix::name(&fd).unwrap()));
        assert_eq!(answer.body[4..25], request.bytes(), "the whole of it");
        assert_eq!(answer.body[25..], [0; 3]);
    }
    // Nothing more than who asked, if that is enough.
    set(&fd, SOL_NETLINK, 10, 1).unwrap();
    let request = Message::new(200, REQUEST, &[0, 1, 2, 3, 4]);
    let answer = ask(&fd, &request);
    assert_eq!((answer.error(), answer.flags), (libc::EOPNOTSUPP, 0x100));
    assert_eq!(answer.body[4..], request.bytes()[..16]);
    set(&fd, SOL_NETLINK, 10, 0).unwrap();
    // What has nothing to say is acknowledged on request.
    let answer = ask(&fd, &Message::new(0, REQUEST | ACK, &[9; 8]));
    assert_eq!((answer.error(), answer.flags), (0, 0x100));
    assert_eq!(answer.body[4..], Message::new(0, REQUEST | ACK, &[9; 8]).bytes()[..16]);
    let answer = ask(&fd, &Message::new(RTM_GETLINK, ACK, &[0; 16]));
    assert_eq!(answer.error(), 0, "even of what is no request");
}

#[test]
fn several_requests_may_come_at_once() {
    let fd = route();
    let mut bytes = Message { sequence: 1, ..Message::new(200, REQUEST, &[0; 5]) }.bytes();
    bytes.resize(24, 0);
    bytes.extend(Message { sequence: 2, ..Message::new(0, REQUEST | ACK, b"") }.bytes());
    bytes.extend(Message { sequence: 3, ..Message::new(200, REQUEST, &[0; 1]) }.bytes());
    bytes.extend([0; 3]);
    assert_eq!(send(&fd, &bytes, 0), Ok(bytes.len()));
    let told: Vec<_> = (0..3).flat_map(|_| answers(&fd)).map(|m| (m.sequence, m.error())).collect();
    assert_eq!(told, [(1, libc::EOPNOTSUPP), (2, 0), (3, libc::EOPNOTSUPP)]);
    assert_eq!(recv(&fd, 99, MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn one_list_at_a_time_is_told() {
    let fd = route();
    let request = Message::new(RTM_GETLINK, REQUEST | DUMP, &[0; 16]).bytes();
    send(&fd, &request, 0).unwrap();
    send(&fd, &request, 0).unwrap();
    assert_eq!(answers(&fd)[0].kind, RTM_NEWLINK);
    assert_eq!(answers(&fd)[0].error(), libc::EBUSY);
    assert_eq!(answers(&fd)[0].kind, NLMSG_DONE);
    send(&fd, &request, 0).unwrap();
    assert_eq!(answers(&fd)[0].kind, RTM_NEWLINK);
    assert_eq!(answers(&fd)[0].kind, NLMSG_DONE);
}

#[test]
fn who_does_not_read_hears_that_something_was_lost() {
    let fd = route();
    set(&fd, SOL_SOCKET, libc::SO_RCVBUF, 4_000).unwrap();
    let request = Message::new(200, REQUEST, &[0; 4]).bytes();
    for _ in 0..200 {
        assert_eq!(send(&fd, &request, 0), Ok(20));
    }
    assert_eq!(
        poll::ready(&fd, POLLIN | POLLOUT) & (POLLIN | libc::POLLERR),
        POLLIN | libc::POLLERR
    );
    assert_eq!(recv(&fd, 99, MSG_DONTWAIT), Err(Errno::ENOBUFS));
    let mut received = 0;
    while recv(&fd, 99, MSG_DONTWAIT).is_ok() {
        received += 1;
    }
    assert!((2..100).contains(&received), "{received}");
    assert_eq!(ask(&fd, &Message::new(200, REQUEST, &[0; 4])).error(), libc::EOPNOTSUPP);
}

#[test]
fn getifaddrs_agrees_with_the_numbers_of_the_interfaces() {
    let mut first: *mut libc::ifaddrs = core::ptr::null_mut();
    // SAFETY: the pointer is ours.
    assert_eq!(unsafe { libc::getifaddrs(&raw mut first) }, 0);
    let (mut names, mut found, mut next) = (Vec::new(), false, first);
    while !next.is_null() {
        // SAFETY: the list is whole until it is freed.
        let entry = unsafe { &*next };
        // SAFETY: a name with a zero at its end.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_str().unwrap().to_owned();
        let family = match entry.ifa_addr.is_null() {
            true => AF_UNSPEC,
            // SAFETY: it is an address.
            false => i32::from(unsafe { (*entry.ifa_addr).sa_family }),
        };
        if family == libc::AF_PACKET {
            assert!(!entry.ifa_data.is_null(), "statistics");
            names.push(name.clone());
        }
        if family == AF_INET && name == "lo" {
            // SAFETY: an address of that family.
            let [address, mask] = [entry.ifa_addr, entry.ifa_netmask]
                .map(|at| unsafe { *at.cast::<libc::sockaddr_in>() }.sin_addr.s_addr)
                .map(|bits| Ipv4Addr::from(bits.to_ne_bytes()));
            assert_eq!((address, mask), (Ipv4Addr::LOCALHOST, Ipv4Addr::new(255, 0, 0, 0)));
            assert_eq!(entry.ifa_flags & IFF_LOOPBACK as u32, IFF_LOOPBACK as u32);
            found = true;
        }
        next = entry.ifa_next;
    }
    // SAFETY: it is not used any more.
    unsafe { libc::freeifaddrs(first) };
    assert!(found);
    assert_eq!(names, indexed());
}

/// Returns the result of `if_nameindex`, sorted by index.
fn indexed() -> Vec<String> {
    // SAFETY: the list ends with an entry without a name, and is freed once.
    unsafe {
        let list = libc::if_nameindex();
        assert!(!list.is_null());
        let mut names = Vec::new();
        let mut next = list;
        while !(*next).if_name.is_null() {
            let name = CStr::from_ptr((*next).if_name);
            assert_eq!(libc::if_nametoindex(name.as_ptr()), (*next).if_index);
            names.push(name.to_str().unwrap().to_owned());
            next = next.add(1);
        }
        libc::if_freenameindex(list);
        names
    }
}
