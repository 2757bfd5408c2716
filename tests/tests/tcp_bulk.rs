//! Bulk transfers over TCP, also in parallel: every byte must arrive, once and in its place.
//!
//! The kit also runs this over networks that lose, reorder, duplicate and damage packets (`POLLUX_IMPAIRED=1`); the
//! connections must not notice.
//! Source: RFC 9293 section 3.10.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use pollux_tests::random::Random;

/// The most bytes that one call reads or writes.
const BLOCK: usize = 64 * 1024;

/// The silence after which a transfer has failed.
const PATIENCE: Duration = Duration::from_secs(900);

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

fn is_impaired() -> bool {
    is_set("POLLUX_IMPAIRED")
}

/// Returns the number of bytes to send in one direction.
fn much() -> usize {
    match (is_set("POLLUX_LONG"), is_impaired()) {
        (true, true) => 64 << 20,
        (true, false) => 1 << 30,
        (false, true) => 1 << 20,
        (false, false) => 4 << 20,
    }
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
        end.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    (client, server)
}

/// Generates the bytes of `seed`, block by block.
struct Content {
    random: Random,
    left: usize,
    block: Vec<u8>,
}

impl Content {
    fn new(seed: u64, len: usize) -> Self {
        Self {
            random: Random::new(seed),
            left: len,
            block: vec![0; len.min(BLOCK).next_multiple_of(8)],
        }
    }

    fn next(&mut self) -> Option<&[u8]> {
        let len = self.left.min(BLOCK);
        self.left -= len;
        for word in self.block[..len.next_multiple_of(8)].chunks_exact_mut(8) {
            word.copy_from_slice(&self.random.next_u64().to_le_bytes());
        }
        (len > 0).then(|| &self.block[..len])
    }
}

fn send(stream: &mut TcpStream, seed: u64, len: usize) {
    let mut content = Content::new(seed, len);
    while let Some(block) = content.next() {
        stream.write_all(block).unwrap();
    }
}

fn expect(stream: &mut TcpStream, seed: u64, len: usize) {
    let mut content = Content::new(seed, len);
    let mut space = vec![0; BLOCK];
    let mut place = 0;
    while let Some(block) = content.next() {
        stream.read_exact(&mut space[..block.len()]).unwrap();
        if space[..block.len()] != *block {
            let wrong = space.iter().zip(block).position(|(got, sent)| got != sent);
            panic!("the byte at {} is another one", place + wrong.unwrap_or(0));
        }
        place += block.len();
    }
}

fn expect_end(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

/// Segments that have left: `tcpi_segs_out`.
fn segments_out(stream: &TcpStream) -> usize {
    const OFFSET: usize = 136;
    let mut info = [0_u8; 256];
    let mut len = info.len() as libc::socklen_t;
    let fd = stream.as_raw_fd();
    // SAFETY: both are ours.
    let result = unsafe {
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &mut len)
    };
    assert_eq!(result, 0);
    u32::from_ne_bytes(info[OFFSET..OFFSET + 4].try_into().unwrap()) as usize
}

#[test]
fn a_stream_arrives_as_it_was_sent() {
    let (mut client, mut server) = pair();
    let len = much();
    let sender = thread::spawn(move || {
        send(&mut client, 1, len);
        client.shutdown(Shutdown::Write).unwrap();
        expect_end(&mut client);
        segments_out(&client)
    });
    expect(&mut server, 1, len);
    expect_end(&mut server);
    drop(server);
    let segments = sender.join().unwrap();
    println!("{len} bytes in {segments} segments");
    // Where they must be sent again there are more of them: so the packets do fare badly.
    let fewest = len / 1460;
    assert!(
        !is_impaired() || segments > fewest + fewest / 50,
        "{segments} segments, {fewest} at least"
    );
}

#[test]
fn both_directions_at_once() {
    let len = much() / 4;
    let both = move |mut stream: TcpStream, own: u64, other: u64| {
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || {
            send(&mut writer, own, len);
            writer.shutdown(Shutdown::Write).unwrap();
        });
        expect(&mut stream, other, len);
        expect_end(&mut stream);
        sender.join().unwrap();
    };
    let (client, server) = pair();
    let other = thread::spawn(move || both(server, 2, 3));
    both(client, 3, 2);
    other.join().unwrap();
}

#[test]
fn questions_and_answers() {
    let (mut client, mut server) = pair();
    let answers = thread::spawn(move || {
        for round in 0..500 {
            expect(&mut server, round, 1 + round as usize % 100);
            send(&mut server, round + 1000, 1 + round as usize * 7 % 3000);
        }
    });
    for round in 0..500 {
        send(&mut client, round, 1 + round as usize % 100);
        expect(&mut client, round + 1000, 1 + round as usize * 7 % 3000);
    }
    answers.join().unwrap();
    expect_end(&mut client);
}

#[test]
fn one_connection_after_the_other() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    const COUNT: u64 = 60;
    let server = thread::spawn(move || {
        for round in 0..COUNT {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            expect(&mut stream, round, 1000);
            expect_end(&mut stream);
            send(&mut stream, round + 1000, 5000);
        }
    });
    for round in 0..COUNT {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        send(&mut stream, round, 1000);
        stream.shutdown(Shutdown::Write).unwrap();
        expect(&mut stream, round + 1000, 5000);
        expect_end(&mut stream);
    }
    server.join().unwrap();
}

#[test]
fn many_connections_at_the_same_time() {
    const COUNT: u64 = 16;
    let len = much() / 64;
    let threads: Vec<_> = (0..COUNT)
        .map(|number| {
            let (mut client, mut server) = pair();
            thread::spawn(move || {
                let sender = thread::spawn(move || {
                    send(&mut client, number, len);
                    client
                });
                expect(&mut server, number, len);
                drop(sender.join().unwrap());
                expect_end(&mut server);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_full_connection_goes_on_where_it_stopped() {
    let (mut client, mut server) = pair();
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let bytes = b"0123456789 ".repeat(1 << 20);
    loop {
        match client.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                // What the other end takes makes room once more, until it takes nothing.
                thread::sleep(Duration::from_millis(200));
                if client.write(&bytes[sent..]).is_ok_and(|count| {
                    sent += count;
                    true
                }) {
                    continue;
                }
                break;
            }
        }
    }
    // Nobody reads: the window is closed, and is asked for.
    thread::sleep(Duration::from_secs(3));
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        got
    });
    client.set_nonblocking(false).unwrap();
    let more = 300_000;
    client.write_all(&bytes[sent..sent + more]).unwrap();
    drop(client);
    let got = reader.join().unwrap();
    assert!(got == bytes[..sent + more], "{} bytes of {}", got.len(), sent + more);
}
