//! unix(7): local sockets with names.

mod messages;

use libc::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SHUT_RDWR, SO_SNDTIMEO, SOCK_DGRAM,
    SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
};
use pollux_tests::socket::{accept, listen, send, set_value, shutdown};
use pollux_tests::unix::{self, Address, listener};
use pollux_tests::{Errno, Fd, fd, poll, socket, time};

const ALL: i16 = POLLIN | POLLOUT | POLLRDHUP;

/// Returns an unused path that no other case uses.
fn fresh(name: &str) -> (String, Address) {
    let path = format!("/tmp/unix-{name}");
    let _ = std::fs::remove_file(&path);
    let address = Address::path(&path);
    (path, address)
}

fn connected(address: &Address) -> Fd {
    let fd = unix::socket(SOCK_STREAM);
    unix::connect(&fd, address).unwrap();
    fd
}

#[test]
fn a_path_leads_to_the_listener() {
    for kind in [SOCK_STREAM, SOCK_SEQPACKET] {
        let (path, address) = fresh("leads");
        let listener = listener(kind, &address, 1);
        let kind_of_file = std::fs::symlink_metadata(&path).unwrap();
        assert!(std::os::unix::fs::FileTypeExt::is_socket(&kind_of_file.file_type()));
        let client = unix::socket(kind);
        unix::connect(&client, &address).unwrap();
        let (server, from) = unix::accept_from(&listener).unwrap();
        assert_eq!(from, Address::raw(b""), "the client has no name");
        client.write(b"to").unwrap();
        server.write(b"and fro").unwrap();
        assert_eq!(server.read(9).unwrap(), b"to");
        assert_eq!(client.read(9).unwrap(), b"and fro");
        std::fs::remove_file(&path).unwrap();
        server.write(b"still").unwrap();
        assert_eq!(client.read(9).unwrap(), b"still");
    }
}

#[test]
fn names_are_told() {
    let (_, address) = fresh("names");
    let listener = listener(SOCK_STREAM, &address, 1);
    assert_eq!(unix::name(&listener).unwrap(), address);
    assert_eq!(unix::peer(&listener), Err(Errno::ENOTCONN));
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(unix::name(&client).unwrap(), Address::raw(b""));
    let own = Address::hidden("names of the client");
    unix::bind(&client, &own).unwrap();
    unix::connect(&client, &address).unwrap();
    let (server, from) = unix::accept_from(&listener).unwrap();
    assert_eq!(from, own);
    assert_eq!(unix::name(&client).unwrap(), own);
    assert_eq!(unix::peer(&client).unwrap(), address);
    assert_eq!(unix::name(&server).unwrap(), address, "inherited");
    assert_eq!(unix::peer(&server).unwrap(), own);
    drop(client);
    assert_eq!(unix::peer(&server).unwrap(), own, "as long as this end is open");
}

#[test]
fn the_kernel_chooses_a_name_for_a_family() {
    let fd = unix::socket(SOCK_STREAM);
    unix::bind(&fd, &Address::raw(b"")).unwrap();
    let Address(name) = unix::name(&fd).unwrap();
    assert_eq!(name.len(), 8);
    assert_eq!(name[2], 0);
    assert!(name[3..].iter().all(u8::is_ascii_hexdigit));
}

#[test]
fn a_hidden_name_ends_with_its_socket() {
    let address = Address::hidden("a\0b");
    let first = listener(SOCK_STREAM, &address, 1);
    let second = unix::socket(SOCK_STREAM);
    assert_eq!(unix::bind(&second, &address), Err(Errno::EADDRINUSE));
    unix::bind(&second, &Address::hidden("a\0c")).unwrap();
    let client = connected(&address);
    assert_eq!(unix::peer(&client).unwrap(), address);
    drop(first);
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&client, &address), Err(Errno::ECONNREFUSED));
    listener(SOCK_STREAM, &address, 1);
}

#[test]
fn bind_refuses_what_linux_refuses() {
    let (path, address) = fresh("refused");
    let fd = unix::socket(SOCK_STREAM);
    assert_eq!(unix::bind(&fd, &Address(vec![1])), Err(Errno::EINVAL));
    assert_eq!(unix::bind(&fd, &Address(vec![2, 0, b'x', 0])), Err(Errno::EINVAL));
    assert_eq!(unix::bind(&fd, &Address::raw(&[b'x'; 109])), Err(Errno::EINVAL));
    let nowhere = Address::path("/tmp/no-such-directory/x");
    assert_eq!(unix::bind(&fd, &nowhere), Err(Errno::ENOENT));
    std::fs::write(&path, b"").unwrap();
    assert_eq!(unix::bind(&fd, &address), Err(Errno::EADDRINUSE));
    std::fs::remove_file(&path).unwrap();
    unix::bind(&fd, &address).unwrap();
    assert_eq!(unix::bind(&fd, &address), Err(Errno::EADDRINUSE), "the file is looked at first");
    let (other, elsewhere) = fresh("refused-elsewhere");
    assert_eq!(unix::bind(&fd, &elsewhere), Err(Errno::EINVAL));
    assert!(!std::path::Path::new(&other).exists());
}

#[test]
fn a_file_outlives_its_socket_and_refuses() {
    let (path, address) = fresh("outlives");
    drop(listener(SOCK_STREAM, &address, 1));
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&client, &address), Err(Errno::ECONNREFUSED));
    assert_eq!(fd::open(&path, libc::O_RDWR, 0).map(drop), Err(Errno::ENXIO));
    let second = unix::socket(SOCK_STREAM);
    assert_eq!(unix::bind(&second, &address), Err(Errno::EADDRINUSE));
    std::fs::remove_file(&path).unwrap();
    unix::bind(&second, &address).unwrap();
    assert_eq!(unix::connect(&client, &address), Err(Errno::ECONNREFUSED), "nobody listens");
    listen(&second, 1).unwrap();
    unix::connect(&client, &address).unwrap();
}

#[test]
fn a_name_that_was_moved_leads_to_the_same_socket() {
    let (path, address) = fresh("moved");
    let (other, elsewhere) = fresh("moved-there");
    let listener = listener(SOCK_STREAM, &address, 1);
    std::fs::rename(&path, &other).unwrap();
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&client, &address), Err(Errno::ENOENT));
    unix::connect(&client, &elsewhere).unwrap();
    assert_eq!(unix::peer(&client).unwrap(), address, "as it was bound");
    drop(listener);
}

#[test]
fn connect_refuses_what_linux_refuses() {
    let (path, address) = fresh("connect");
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&client, &address), Err(Errno::ENOENT));
    std::fs::write(&path, b"").unwrap();
    assert_eq!(unix::connect(&client, &address), Err(Errno::ECONNREFUSED), "no socket");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(unix::connect(&client, &Address::raw(b"")), Err(Errno::EINVAL));
    let listener = listener(SOCK_STREAM, &address, 1);
    let sequence = unix::socket(SOCK_SEQPACKET);
    assert_eq!(unix::connect(&sequence, &address), Err(Errno::EPROTOTYPE));
    unix::connect(&client, &address).unwrap();
    assert_eq!(unix::connect(&client, &address), Err(Errno::EISCONN));
    assert_eq!(unix::connect(&listener, &address), Err(Errno::EINVAL));
    assert_eq!(listen(&client, 1), Err(Errno::EINVAL));
    assert_eq!(listen(&unix::socket(SOCK_DGRAM), 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(listen(&unix::socket(SOCK_STREAM), 1), Err(Errno::EINVAL), "no name");
    assert_eq!(accept(&client, 0).map(drop), Err(Errno::EINVAL));
}

#[test]
fn a_full_backlog_makes_others_wait() {
    let (_, address) = fresh("backlog");
    let listener = listener(SOCK_STREAM, &address, 1);
    let waiting = [connected(&address), connected(&address)];
    let late = unix::socket(SOCK_STREAM | SOCK_NONBLOCK);
    assert_eq!(unix::connect(&late, &address), Err(Errno::EAGAIN));
    let patient = unix::socket(SOCK_STREAM);
    let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    set_value(&patient, SOL_SOCKET, SO_SNDTIMEO, &limit).unwrap();
    assert_eq!(unix::connect(&patient, &address), Err(Errno::EAGAIN));
    let connecting = time::soon(move || connected(&address));
    time::settle();
    waiting[0].write(b"first").unwrap();
    let first = accept(&listener, 0).unwrap();
    assert_eq!(first.read(9).unwrap(), b"first", "in order of arrival");
    let third = connecting.join().unwrap();
    third.write(b"third").unwrap();
    accept(&listener, 0).unwrap();
    assert_eq!(accept(&listener, 0).unwrap().read(9).unwrap(), b"third");
}

#[test]
fn who_waits_for_a_backlog_hears_that_it_is_gone() {
    let (_, address) = fresh("gone");
    let listener = listener(SOCK_STREAM, &address, 0);
    let waiting = connected(&address);
    let late = time::soon(move || {
        let fd = unix::socket(SOCK_STREAM);
        unix::connect(&fd, &address)
    });
    time::settle();
    drop(listener);
    assert_eq!(late.join().unwrap(), Err(Errno::ECONNREFUSED));
    assert_eq!(poll::ready(&waiting, ALL), ALL | POLLHUP | POLLERR);
    assert_eq!(waiting.read(1), Err(Errno::ECONNRESET));
    assert_eq!(waiting.read(1).unwrap(), b"");
}

#[test]
fn accept_waits_and_may_not() {
    let (_, address) = fresh("accept");
    let listener = listener(SOCK_STREAM | SOCK_NONBLOCK, &address, 1);
    assert_eq!(accept(&listener, 0).map(drop), Err(Errno::EAGAIN));
    listener.set_flags(0).unwrap();
    let accepting = time::soon(move || {
        let server = accept(&listener, libc::SOCK_CLOEXEC).unwrap();
        server.fcntl(libc::F_GETFD, 0).unwrap()
    });
    time::settle();
    let _client = connected(&address);
    assert_eq!(accepting.join().unwrap(), libc::FD_CLOEXEC);
}

#[test]
fn calls_without_a_connection_fail_as_on_linux() {
    let stream = unix::socket(SOCK_STREAM);
    assert_eq!(stream.read(1), Err(Errno::EINVAL));
    assert_eq!(send(&stream, b"x", 0), Err(Errno::ENOTCONN));
    assert_eq!(shutdown(&stream, SHUT_RDWR), Ok(()));
    let sequence = unix::socket(SOCK_SEQPACKET);
    assert_eq!(sequence.read(1), Err(Errno::ENOTCONN));
    assert_eq!(send(&sequence, b"x", 0), Err(Errno::ENOTCONN));
    assert_eq!(send(&unix::socket(SOCK_DGRAM), b"x", 0), Err(Errno::ENOTCONN));
    let wrong = socket::socket(libc::AF_UNIX, 4, 0);
    assert_eq!(wrong.map(drop), Err(Errno::ESOCKTNOSUPPORT));
    let wrong = socket::socket(libc::AF_UNIX, SOCK_STREAM, 9);
    assert_eq!(wrong.map(drop), Err(Errno::EPROTONOSUPPORT));
}
