//! unix(7): datagrams to named sockets.

mod room;

use libc::{
    MSG_DONTWAIT, MSG_PEEK, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SHUT_RD, SHUT_RDWR,
    SHUT_WR, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
};
use pollux_tests::socket::{error, recv, send, shutdown};
use pollux_tests::sys::{self, Result};
use pollux_tests::unix::{self, Address, bind, connect};
use pollux_tests::{Errno, Fd, child, fd, poll};

const ALL: i16 = POLLIN | POLLOUT | POLLRDHUP;

/// Returns an unused path that no other case uses.
fn fresh(name: &str) -> Address {
    let path = format!("/tmp/unix-datagram-{name}");
    let _ = std::fs::remove_file(&path);
    Address::path(&path)
}

/// Makes a socket with a name.
fn named(address: &Address) -> Fd {
    let fd = unix::socket(SOCK_DGRAM);
    bind(&fd, address).unwrap();
    fd
}

/// Makes a socket without a name that sends to `address`.
fn connected(address: &Address, flags: i32) -> Fd {
    let fd = unix::socket(SOCK_DGRAM | flags);
    connect(&fd, address).unwrap();
    fd
}

fn send_to(fd: &Fd, bytes: &[u8], address: &Address, flags: i32) -> Result<usize> {
    let [at, to] = [bytes.as_ptr() as usize, address.0.as_ptr() as usize];
    let arguments = [fd.number() as usize, at, bytes.len(), flags as usize, to, address.0.len()];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_sendto, arguments) }
}

fn recv_from(fd: &Fd) -> Result<(Vec<u8>, Address)> {
    let (mut bytes, mut from, mut room) = (vec![0; 999], vec![0_u8; 128], 128_u32);
    let [at, address] = [bytes.as_mut_ptr() as usize, from.as_mut_ptr() as usize];
    let len = &raw mut room as usize;
    let flags = MSG_DONTWAIT as usize;
    // SAFETY: all of it is ours.
    let count = unsafe {
        sys::call(libc::SYS_recvfrom, [fd.number() as usize, at, 999, flags, address, len])
    }?;
    bytes.truncate(count);
    from.truncate(room as usize);
    Ok((bytes, Address(from)))
}

/// Sends until there is no room, and returns the number of datagrams sent.
fn fill(fd: &Fd, address: Option<&Address>) -> usize {
    let mut count = 0;
    loop {
        let sent = match address {
            Some(address) => send_to(fd, b"x", address, MSG_DONTWAIT),
            None => send(fd, b"x", MSG_DONTWAIT),
        };
        match sent {
            Ok(_) => count += 1,
            Err(error) => {
                assert_eq!(error, Errno::EAGAIN);
                return count;
            }
        }
    }
}

#[test]
fn datagrams_reach_a_name_and_say_from_whom() {
    for address in [fresh("reach"), Address::hidden("reach")] {
        let server = named(&address);
        let client = unix::socket(SOCK_DGRAM);
        assert_eq!(send_to(&client, b"nobody", &address, 0), Ok(6));
        assert_eq!(recv_from(&server), Ok((b"nobody".to_vec(), Address(Vec::new()))), "no name");
        let own = Address::hidden("reach, the client");
        bind(&client, &own).unwrap();
        assert_eq!(send_to(&client, b"first", &address, 0), Ok(5));
        assert_eq!(send_to(&client, b"", &address, 0), Ok(0));
        assert_eq!(unix::receive(&server, 99, 0, MSG_PEEK).unwrap().from, own.0);
        assert_eq!(recv_from(&server), Ok((b"first".to_vec(), own.clone())));
        assert_eq!(recv_from(&server), Ok((Vec::new(), own.clone())));
        assert_eq!(recv_from(&server), Err(Errno::EAGAIN));
        assert_eq!(send_to(&server, b"back", &own, 0), Ok(4));
        assert_eq!(recv_from(&client), Ok((b"back".to_vec(), address)));
    }
}

#[test]
fn a_connected_socket_sends_to_one_and_hears_only_him() {
    let (address, own) = (fresh("one"), Address::hidden("one, the client"));
    let server = named(&address);
    let client = unix::socket(SOCK_DGRAM);
    assert_eq!(unix::peer(&client), Err(Errno::ENOTCONN));
    assert_eq!(client.write(b"x"), Err(Errno::ENOTCONN));
    connect(&client, &address).unwrap();
    assert_eq!(unix::peer(&client).unwrap(), address);
    assert_eq!(unix::name(&client).unwrap(), Address::raw(b""), "it gets no name by that");
    client.write(b"hello").unwrap();
    assert_eq!(recv_from(&server), Ok((b"hello".to_vec(), Address(Vec::new()))));
    bind(&client, &own).unwrap();
    let stranger = unix::socket(SOCK_DGRAM);
    assert_eq!(send_to(&stranger, b"x", &own, 0), Err(Errno::EPERM));
    assert_eq!(connect(&stranger, &own), Err(Errno::EPERM));
    assert_eq!(send_to(&server, b"answer", &own, 0), Ok(6));
    assert_eq!(recv_from(&client), Ok((b"answer".to_vec(), address)));
    let elsewhere = Address::hidden("one, elsewhere");
    let other = named(&elsewhere);
    assert_eq!(send_to(&client, b"once", &elsewhere, 0), Ok(4));
    assert_eq!(recv_from(&other), Ok((b"once".to_vec(), own.clone())));
    connect(&client, &elsewhere).unwrap();
    assert_eq!(unix::peer(&client).unwrap(), elsewhere, "again and again");
    connect(&client, &Address(vec![0, 0])).unwrap();
    assert_eq!(unix::peer(&client), Err(Errno::ENOTCONN));
    assert_eq!(send_to(&stranger, b"x", &own, 0), Ok(1));
}

#[test]
fn names_lead_nowhere_as_on_linux() {
    let fd = unix::socket(SOCK_DGRAM);
    let nowhere = fresh("nowhere");
    assert_eq!(connect(&fd, &nowhere), Err(Errno::ENOENT));
    assert_eq!(send_to(&fd, b"x", &nowhere, 0), Err(Errno::ENOENT));
    assert_eq!(connect(&fd, &Address::hidden("nowhere")), Err(Errno::ECONNREFUSED));
    assert_eq!(send_to(&fd, b"x", &Address::hidden("nowhere"), 0), Err(Errno::ECONNREFUSED));
    drop(named(&nowhere));
    assert_eq!(connect(&fd, &nowhere), Err(Errno::ECONNREFUSED), "a file that nobody has");
    assert_eq!(send_to(&fd, b"x", &nowhere, 0), Err(Errno::ECONNREFUSED));
    std::fs::write("/tmp/unix-datagram-file", b"").unwrap();
    assert_eq!(connect(&fd, &Address::path("/tmp/unix-datagram-file")), Err(Errno::ECONNREFUSED));
    assert_eq!(connect(&fd, &Address::raw(b"")), Err(Errno::EINVAL));
    assert_eq!(send_to(&fd, b"x", &Address(vec![2, 0, b'x']), 0), Err(Errno::EINVAL));
    let other = fresh("stream");
    let _listener = unix::listener(SOCK_STREAM, &other, 1);
    assert_eq!(connect(&fd, &other), Err(Errno::EPROTOTYPE));
    assert_eq!(send_to(&fd, b"x", &other, 0), Err(Errno::EPROTOTYPE));
    assert_eq!(send_to(&fd, b"x", &Address::hidden("x"), libc::MSG_OOB), Err(Errno::EOPNOTSUPP));
    let address = fresh("mine");
    let _server = named(&address);
    assert_eq!(connect(&unix::socket(SOCK_SEQPACKET), &address), Err(Errno::EPROTOTYPE));
    assert_eq!(bind(&fd, &address), Err(Errno::EADDRINUSE));
    child::run(|| {
        std::fs::set_permissions("/tmp/unix-datagram-mine", unix_mode(0o600)).unwrap();
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        assert_eq!(send_to(&fd, b"x", &address, 0), Err(Errno::EACCES));
        assert_eq!(connect(&fd, &address), Err(Errno::EACCES));
    });
}

fn unix_mode(mode: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[test]
fn whoever_is_gone_refuses_once_and_is_forgotten() {
    let address = fresh("gone");
    let server = named(&address);
    let client = connected(&address, 0);
    drop(server);
    assert_eq!(poll::ready(&client, ALL), POLLOUT, "nothing tells");
    assert_eq!(unix::peer(&client).unwrap(), address);
    assert_eq!(client.write(b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(client.write(b"x"), Err(Errno::ENOTCONN));
    std::fs::remove_file("/tmp/unix-datagram-gone").unwrap();
    let server = named(&address);
    connect(&client, &address).unwrap();
    client.write(b"again").unwrap();
    assert_eq!(server.read(9).unwrap(), b"again");
}

#[test]
fn shutdown_is_for_those_who_send() {
    let address = fresh("shutdown");
    let server = named(&address);
    let client = connected(&address, 0);
    client.write(b"before").unwrap();
    shutdown(&client, SHUT_WR).unwrap();
    assert_eq!(client.write(b"x"), Err(Errno::EPIPE));
    assert_eq!(send_to(&client, b"x", &address, 0), Err(Errno::EPIPE));
    assert_eq!(poll::ready(&client, ALL), POLLOUT);
    shutdown(&server, SHUT_RD).unwrap();
    assert_eq!(server.read(9).unwrap(), b"before");
    assert_eq!(server.read(9).unwrap(), b"");
    assert_eq!(send_to(&unix::socket(SOCK_DGRAM), b"x", &address, 0), Err(Errno::EPIPE));
    assert_eq!(poll::ready(&server, ALL), ALL);
    shutdown(&server, SHUT_RDWR).unwrap();
    assert_eq!(poll::ready(&server, ALL), ALL | POLLHUP);
}

#[test]
fn a_new_peer_means_that_what_the_old_one_sent_is_lost() {
    let (first, second) = (Address::hidden("first"), Address::hidden("second"));
    let (one, other) = (named(&first), named(&second));
    connect(&one, &second).unwrap();
    connect(&other, &first).unwrap();
    other.write(b"lost").unwrap();
    let third = Address::hidden("third");
    let _another = named(&third);
    connect(&one, &third).unwrap();
    assert_eq!(recv(&one, 9, MSG_DONTWAIT), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&other, ALL), POLLOUT | POLLERR);
    assert_eq!(error(&other), libc::ECONNRESET);
    assert_eq!(other.write(b"x"), Err(Errno::EPERM), "it hears another");
}

#[test]
fn a_socket_may_send_to_itself() {
    let address = Address::hidden("itself");
    let fd = named(&address);
    connect(&fd, &address).unwrap();
    fd.write(b"to me").unwrap();
    assert_eq!(recv_from(&fd), Ok((b"to me".to_vec(), address.clone())));
    assert!(fill(&fd, None) > 11, "only its own buffer is an end");
    drop(fd);
    let _again = named(&address);
}

#[test]
fn descriptors_travel_to_names() {
    let address = fresh("descriptors");
    let server = named(&address);
    let client = connected(&address, 0);
    let (reader, writer) = fd::pipe();
    unix::send_fds(&client, b"take this", &[writer.number()], 0).unwrap();
    drop(writer);
    let message = unix::receive(&server, 99, 64, 0).unwrap();
    assert_eq!((&message.bytes[..], message.fds.len()), (&b"take this"[..], 1));
    message.fds[0].write(b"through").unwrap();
    assert_eq!(reader.read(9).unwrap(), b"through");
}

#[test]
fn the_kernel_chooses_a_name_that_can_be_answered() {
    let address = fresh("chosen");
    let server = named(&address);
    let client = unix::socket(SOCK_DGRAM);
    bind(&client, &Address::raw(b"")).unwrap();
    send_to(&client, b"question", &address, 0).unwrap();
    let (_, from) = recv_from(&server).unwrap();
    assert_eq!(from, unix::name(&client).unwrap());
    send_to(&server, b"answer", &from, 0).unwrap();
    assert_eq!(client.read(9).unwrap(), b"answer");
}
