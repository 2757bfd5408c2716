use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;

use super::{ARRIVING_MAX, Line, Packet};
use crate::abi::errno::Errno;
use crate::linux::abi::termios::{LocalModes, Termios};
use crate::linux::tty::{Tty, TtySignal};

fn pair() -> (Line, Tty) {
    let mut line = Line::default();
    line.unlock();
    line.open_slave().unwrap();
    (line, Tty::pseudo())
}

fn type_in(line: &mut Line, tty: &mut Tty, mut bytes: &[u8]) -> Vec<TtySignal> {
    line.take(&mut bytes);
    core::iter::from_fn(|| line.deliver(tty)).collect()
}

fn shown(line: &mut Line, tty: &mut Tty) -> Poll<Result<Vec<u8>, Errno>> {
    let mut buffer = [0; 100];
    line.read(tty, &mut &mut buffer[..]).map_ok(|count| buffer[..count].to_vec())
}

#[test]
fn a_locked_slave_cannot_be_opened() {
    let mut line = Line::default();
    assert!(line.is_locked());
    assert_eq!(line.open_slave(), Err(Errno::EIO));
    line.unlock();
    assert_eq!(line.open_slave(), Ok(()));
    line.hang_up();
    assert_eq!(line.open_slave(), Err(Errno::EIO));
}

#[test]
fn what_is_typed_is_shown_and_a_signal_stops_at_its_byte() {
    let (mut line, mut tty) = pair();
    assert_eq!(type_in(&mut line, &mut tty, b"a\x03b\x1ac"), [TtySignal::Interrupt, TtySignal::Suspend]);
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(b"a^Cb^Zc".to_vec())));
    assert_eq!(shown(&mut line, &mut tty), Poll::Pending);
}

#[test]
fn the_master_reads_everything_before_the_end() {
    let (mut line, mut tty) = pair();
    tty.write(&mut &b"last words"[..]);
    line.close_slave();
    assert!(line.is_left());
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(b"last words".to_vec())));
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Err(Errno::EIO)));
    line.open_slave().unwrap();
    assert_eq!(shown(&mut line, &mut tty), Poll::Pending);
}

#[test]
fn what_finds_no_room_waits_in_order() {
    let (mut line, mut tty) = pair();
    tty.set(Termios { local: 0, ..Termios::INITIAL });
    let sent: Vec<u8> = (0..ARRIVING_MAX).map(|index| b'a' + (index % 26) as u8).collect();
    assert_eq!(type_in(&mut line, &mut tty, &sent), []);
    let more = ARRIVING_MAX - line.arriving.len();
    assert_eq!(line.take(&mut &sent[..]), more);
    assert!(!line.has_room());
    let mut read = Vec::new();
    let mut buffer = [0; 1000];
    while let Poll::Ready(Ok(count)) = tty.read(&mut &mut buffer[..]) {
        read.extend_from_slice(&buffer[..count]);
        line.deliver(&mut tty);
    }
    assert_eq!(read, [&sent[..], &sent[..more]].concat());
}

#[test]
fn packets_tell_of_what_happened_before_data() {
    let (mut line, mut tty) = pair();
    line.begin_packets();
    tty.write(&mut &b"data"[..]);
    type_in(&mut line, &mut tty, b"\x13");
    assert!(line.has_news());
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(vec![Packet::STOP.bits()])));
    type_in(&mut line, &mut tty, b"\x11");
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(vec![Packet::START.bits()])));
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(b"\0data".to_vec())));
    type_in(&mut line, &mut tty, b"\x03");
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(vec![3])));
    line.end_packets();
    assert_eq!(shown(&mut line, &mut tty), Poll::Ready(Ok(b"^C".to_vec())));
}

#[test]
fn a_signal_that_keeps_input_is_no_news_of_a_flush() {
    let (mut line, mut tty) = pair();
    tty.set(Termios { local: Termios::INITIAL.local | LocalModes::NOFLSH.bits(), ..Termios::INITIAL });
    line.begin_packets();
    type_in(&mut line, &mut tty, b"\x03");
    assert!(!line.has_news());
}
