//! Local sockets, one at a time.

use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;

use pollee::{Events, Readiness as _};

use super::name::{Given, Name};
use super::queue::Piece;
use super::socket::{Kind, UnixSocketState, Writer};
use crate::abi::errno::Errno;
use crate::net::abi::socket::{How, Ucred};
use crate::net::socket::SEND_ROOM;
use crate::net::tcp::connection::RecvMode;

type Local = UnixSocketState<u8, char>;

fn connected(kind: Kind) -> Local {
    let mut socket = Local::new(kind);
    socket.connect(0, Ucred::NOBODY, 10_000);
    socket
}

fn piece(bytes: &[u8]) -> Piece<char> {
    Piece { bytes: bytes.to_vec(), rights: vec![], from: None }
}

fn read(socket: &mut Local, len: usize, mode: RecvMode) -> Result<(Vec<u8>, Vec<char>), Errno> {
    let mut bytes = vec![0; len];
    match socket.receive(&mut &mut bytes[..], mode) {
        Poll::Pending => Err(Errno::EAGAIN),
        Poll::Ready(taken) => {
            let taken = taken?;
            bytes.truncate(taken.count);
            Ok((bytes, taken.rights))
        }
    }
}

#[test]
fn a_stream_joins_pieces_but_stops_behind_descriptors() {
    let mut socket = connected(Kind::Stream);
    socket.push(piece(b"ab"));
    socket.push(Piece { bytes: b"cd".to_vec(), rights: vec!['x'], from: None });
    socket.push(piece(b"ef"));
    assert_eq!(read(&mut socket, 9, RecvMode::Peek), Ok((b"abcd".to_vec(), vec!['x'])));
    assert_eq!(read(&mut socket, 3, RecvMode::Consume), Ok((b"abc".to_vec(), vec!['x'])));
    assert_eq!(read(&mut socket, 9, RecvMode::Consume), Ok((b"def".to_vec(), vec![])));
    assert_eq!(read(&mut socket, 9, RecvMode::Consume), Err(Errno::EAGAIN));
}

#[test]
fn messages_stay_apart_and_lose_what_does_not_fit() {
    let mut socket = connected(Kind::SeqPacket);
    socket.push(piece(b"abc"));
    socket.push(piece(b""));
    assert_eq!(socket.unread(), Ok(3));
    assert_eq!(read(&mut socket, 2, RecvMode::Peek).unwrap().0, b"ab");
    assert_eq!(read(&mut socket, 2, RecvMode::Consume).unwrap().0, b"ab");
    assert!(socket.readiness().contains(Events::READABLE), "an empty message");
    assert_eq!(read(&mut socket, 2, RecvMode::Consume).unwrap().0, b"");
    assert_eq!(read(&mut socket, 2, RecvMode::Consume), Err(Errno::EAGAIN));
}

#[test]
fn room_is_announced_when_three_quarters_are_free() {
    let mut socket = connected(Kind::Stream);
    while socket.may_take(Writer::Peer).is_ready() {
        assert_eq!(socket.may_take(Writer::Peer), Poll::Ready(Ok(())));
        socket.push(piece(&[0; 1000]));
    }
    assert!(!socket.has_room(Writer::Peer));
    while !socket.has_room(Writer::Peer) {
        read(&mut socket, 100, RecvMode::Consume).unwrap();
    }
    assert!((1000..=2500).contains(&socket.unread().unwrap()));
}

#[test]
fn an_error_is_told_once_after_the_bytes_and_then_the_end() {
    let mut socket = connected(Kind::Stream);
    socket.push(piece(b"x"));
    socket.lose_peer(Some(Errno::ECONNRESET));
    assert!(socket.readiness().contains(Events::ERR | Events::HUP | Events::RDHUP | SEND_ROOM));
    assert_eq!(read(&mut socket, 9, RecvMode::Consume).unwrap().0, b"x");
    assert_eq!(read(&mut socket, 9, RecvMode::Consume), Err(Errno::ECONNRESET));
    assert_eq!(read(&mut socket, 9, RecvMode::Consume).unwrap().0, b"");
    assert_eq!(socket.write_to(), Err(Errno::EPIPE));
}

#[test]
fn one_that_listens_takes_its_backlog_and_one_more() {
    let mut socket = Local::new(Kind::Stream);
    assert_eq!(socket.readiness(), Events::HUP | SEND_ROOM);
    assert_eq!(socket.listen(0, Ucred::NOBODY), Err(Errno::EINVAL));
    socket.bind(Name::chosen(1)).unwrap();
    socket.listen(0, Ucred::NOBODY).unwrap();
    assert_eq!(socket.readiness(), Events::empty());
    assert_eq!(socket.begin(Kind::SeqPacket), Poll::Ready(Err(Errno::EPROTOTYPE)));
    assert!(socket.begin(Kind::Stream).is_ready());
    assert_eq!(socket.begin(Kind::Stream), Poll::Pending);
    assert!(socket.complete(7));
    assert_eq!(socket.readiness(), Events::READABLE);
    assert_eq!(socket.accept(), Poll::Ready(Ok(7)));
    assert_eq!(socket.accept(), Poll::Pending);
    assert_eq!(socket.shut_down(How::Read), None);
    assert_eq!(socket.accept(), Poll::Ready(Err(Errno::EINVAL)));
    assert_eq!(socket.begin(Kind::Stream), Poll::Ready(Err(Errno::ECONNREFUSED)));
}

#[test]
fn names_are_told_as_they_were_given() {
    let parse = |path: &[u8]| Given::parse(&[&[1, 0], path].concat()).and_then(Given::name);
    let path = parse(b"/tmp/x\0junk").unwrap();
    assert_eq!(path, Name::Path(b"/tmp/x"[..].into()));
    assert_eq!(Name::address(Some(&path)), b"\x01\0/tmp/x\0");
    let hidden = parse(b"\0a\0b").unwrap();
    assert_eq!(Name::address(Some(&hidden)), b"\x01\0\0a\0b");
    assert_eq!(Name::address(None), b"\x01\0");
    assert_eq!(Name::address(Some(&Name::chosen(0xabc))), b"\x01\0\x0000abc");
    assert_eq!(parse(b""), Err(Errno::EINVAL));
    assert_eq!(parse(&[b'x'; 109]), Err(Errno::EINVAL));
    assert_eq!(Given::parse(&[2, 0, b'x']), Err(Errno::EINVAL));
    assert_eq!(Given::parse(&[1]), Err(Errno::EINVAL));
}

#[test]
fn strangers_wait_when_eleven_datagrams_do() {
    let mut socket = Local::new(Kind::Datagram);
    let sender = Name::Abstract(b"\0sender"[..].into());
    for number in 0..11 {
        assert_eq!(socket.may_take(Writer::Stranger), Poll::Ready(Ok(())), "{number}");
        socket.push(Piece { from: Some(sender.clone()), ..piece(b"x") });
    }
    assert!(socket.may_take(Writer::Stranger).is_pending() && !socket.has_room(Writer::Stranger));
    assert_eq!(socket.may_take(Writer::Peer), Poll::Ready(Ok(())), "who has a buffer of its own for that");
    let Poll::Ready(Ok(taken)) = socket.receive(&mut &mut [0; 9][..], RecvMode::Consume) else {
        panic!("something waits")
    };
    assert_eq!(taken.from, Some(sender));
    assert!(socket.has_room(Writer::Stranger));
    assert_eq!(socket.associate(Some(7)), None);
    assert_eq!(socket.associate(None), Some(7));
    assert_eq!(socket.discard().len(), 10);
    let _ = socket.close();
    assert_eq!(socket.may_take(Writer::Stranger), Poll::Ready(Err(Errno::ECONNREFUSED)));
    assert!(socket.has_room(Writer::Stranger), "to hear that");
}
