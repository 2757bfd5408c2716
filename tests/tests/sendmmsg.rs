//! sendmmsg(2), recvmmsg(2): several messages in one call.

use std::thread;
use std::time::{Duration, Instant};

use libc::{
    MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_WAITFORONE, SO_RCVTIMEO, SOL_SOCKET, c_int,
    iovec, mmsghdr, timespec, timeval,
};
use pollux_tests::memory::Pages;
use pollux_tests::socket::{self, Address, bind, connect, error, recv, send, udp};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, signal, sys, time};

/// Messages and their buffers, which must not move.
struct Messages {
    buffers: Vec<Vec<u8>>,
    vectors: Vec<iovec>,
    headers: Vec<mmsghdr>,
}

impl Messages {
    fn new(buffers: Vec<Vec<u8>>) -> Self {
        let mut messages = Self { buffers, vectors: Vec::new(), headers: Vec::new() };
        for buffer in &mut messages.buffers {
            let iov_base = buffer.as_mut_ptr().cast();
            messages.vectors.push(iovec { iov_base, iov_len: buffer.len() });
        }
        for vector in &mut messages.vectors {
            // SAFETY: all-zero is a valid header.
            let mut header: mmsghdr = unsafe { core::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_len = 99;
            messages.headers.push(header);
        }
        messages
    }

    fn of(texts: &[&[u8]]) -> Self {
        Self::new(texts.iter().map(|text| text.to_vec()).collect())
    }

    fn room(count: usize) -> Self {
        Self::new(vec![vec![0; 8]; count])
    }

    fn to(mut self, address: &Address) -> Self {
        for header in &mut self.headers {
            header.msg_hdr.msg_name = core::ptr::from_ref(address).cast_mut().cast();
            header.msg_hdr.msg_namelen = size_of::<Address>() as u32;
        }
        self
    }

    fn send(&mut self, fd: &Fd, flags: c_int) -> Result<usize> {
        send_many(fd, self.headers.as_ptr() as usize, self.headers.len(), flags)
    }

    fn receive(&mut self, fd: &Fd, flags: c_int, limit: Option<&mut timespec>) -> Result<usize> {
        let limit = limit.map_or(0, |limit| core::ptr::from_mut(limit) as usize);
        receive_many(fd, self.headers.as_ptr() as usize, self.headers.len(), flags, limit)
    }

    fn lengths(&self) -> Vec<u32> {
        self.headers.iter().map(|header| header.msg_len).collect()
    }

    fn texts(&self, count: usize) -> Vec<&[u8]> {
        let parts = self.buffers.iter().zip(&self.headers).take(count);
        parts.map(|(buffer, header)| &buffer[..header.msg_len as usize]).collect()
    }
}

fn send_many(fd: &Fd, headers: usize, count: usize, flags: c_int) -> Result<usize> {
    let arguments = [fd.number() as usize, headers, count, flags as usize];
    // SAFETY: the messages outlive the call.
    unsafe { sys::call(libc::SYS_sendmmsg, arguments) }
}

fn receive_many(
    fd: &Fd,
    headers: usize,
    count: usize,
    flags: c_int,
    limit: usize,
) -> Result<usize> {
    let arguments = [fd.number() as usize, headers, count, flags as usize, limit];
    // SAFETY: the buffers outlive the call.
    unsafe { sys::call(libc::SYS_recvmmsg, arguments) }
}

/// Makes a server, and a client that is connected to it.
fn connected() -> (Fd, Fd) {
    let server = udp(0);
    bind(&server, &Address::local(0)).unwrap();
    let client = udp(0);
    connect(&client, &socket::name(&server).unwrap()).unwrap();
    (server, client)
}

#[test]
fn several_messages_go_and_come_with_their_lengths() {
    let (server, client) = connected();
    let mut sent = Messages::of(&[b"one", b"", b"three"]);
    assert_eq!(sent.send(&client, 0), Ok(3));
    assert_eq!(sent.lengths(), [3, 0, 5]);
    let mut got = Messages::room(4);
    assert_eq!(got.receive(&server, MSG_DONTWAIT, None), Ok(3));
    assert_eq!(got.texts(3), [&b"one"[..], b"", b"three"]);
    assert_eq!(got.lengths()[3], 99, "what was not used");
}

#[test]
fn each_message_has_its_own_address() {
    let (first, second) = (udp(0), udp(0));
    bind(&first, &Address::local(0)).unwrap();
    bind(&second, &Address::local(0)).unwrap();
    let addresses = [socket::name(&first).unwrap(), socket::name(&second).unwrap()];
    let client = udp(0);
    let mut sent = Messages::of(&[b"a", b"b"]).to(&addresses[0]);
    sent.headers[1].msg_hdr.msg_name = core::ptr::from_ref(&addresses[1]).cast_mut().cast();
    assert_eq!(sent.send(&client, 0), Ok(2));
    assert_eq!(recv(&first, 9, 0), Ok(b"a".to_vec()));
    assert_eq!(recv(&second, 9, 0), Ok(b"b".to_vec()));
    let from = Address::local(0);
    let port = socket::name(&client).unwrap().parts().port();
    assert_eq!(Messages::of(&[b"c", b"d"]).to(&addresses[0]).send(&client, 0), Ok(2));
    let mut got = Messages::room(2).to(&from);
    assert_eq!(got.receive(&first, 0, None), Ok(2));
    assert_eq!((from.parts().port(), got.headers[1].msg_hdr.msg_namelen), (port, 16));
}

#[test]
fn none_is_none() {
    let (server, client) = connected();
    assert_eq!(send_many(&client, 8, 0, 0), Ok(0));
    assert_eq!(receive_many(&server, 8, 0, 0, 0), Ok(0));
}

#[test]
fn what_is_no_socket_is_refused() {
    let (reader, _writer) = pollux_tests::fd::pipe2(0).unwrap();
    assert_eq!(Messages::of(&[b"x"]).send(&reader, 0), Err(Errno::ENOTSOCK));
    assert_eq!(Messages::room(1).receive(&reader, 0, None), Err(Errno::ENOTSOCK));
    assert_eq!(send_many(&reader, 8, 0, 0), Err(Errno::ENOTSOCK), "even for none");
}

#[test]
fn more_than_1024_messages_are_cut() {
    let (a, b) = socket::pair();
    let texts: Vec<&[u8]> = vec![b"x"; 1030];
    let mut sent = Messages::of(&texts);
    assert_eq!(sent.send(&a, 0), Ok(1024));
    assert_eq!(recv(&b, 1024, MSG_WAITALL).map(|bytes| bytes.len()), Ok(1024));
    assert_eq!(recv(&b, 1, MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn an_error_after_the_first_message_is_how_many_there_were() {
    let (server, client) = connected();
    let mut sent = Messages::of(&[b"one", b"two", b"three"]);
    sent.headers[1].msg_hdr.msg_iov = core::ptr::without_provenance_mut(8);
    assert_eq!(sent.send(&client, 0), Ok(1));
    assert_eq!(sent.lengths(), [3, 99, 99]);
    sent.headers[0].msg_hdr.msg_iov = core::ptr::without_provenance_mut(8);
    assert_eq!(sent.send(&client, 0), Err(Errno::EFAULT));
    assert_eq!(recv(&server, 9, 0), Ok(b"one".to_vec()));
    let pages = Pages::before_hole(1);
    let last = pages.end() - size_of::<mmsghdr>();
    // SAFETY: there is room for one.
    unsafe { core::ptr::write(last as *mut mmsghdr, sent.headers[2]) };
    assert_eq!(send_many(&client, last, 2, 0), Ok(1), "the second is beyond the mapping");
    assert_eq!(send_many(&client, 8, 1, 0), Err(Errno::EFAULT));
}

#[test]
fn it_waits_for_all_or_for_one() {
    let (server, client) = connected();
    send(&client, b"one", 0).unwrap();
    let mut got = Messages::room(3);
    assert_eq!(got.receive(&server, MSG_WAITFORONE, None), Ok(1));
    assert_eq!(got.receive(&server, MSG_DONTWAIT, None), Err(Errno::EAGAIN));
    let later = time::soon(move || {
        send(&client, b"two", 0).unwrap();
        thread::sleep(time::ms(30));
        send(&client, b"three", 0).unwrap();
    });
    let mut got = Messages::room(2);
    assert_eq!(got.receive(&server, 0, None), Ok(2));
    assert_eq!(got.texts(2), [&b"two"[..], b"three"]);
    later.join().unwrap();
}

#[test]
fn a_receive_timeout_ends_the_wait_for_the_rest() {
    let (server, client) = connected();
    let limit = timeval { tv_sec: 0, tv_usec: 50_000 };
    socket::set_value(&server, SOL_SOCKET, SO_RCVTIMEO, &limit).unwrap();
    send(&client, b"one", 0).unwrap();
    assert_eq!(Messages::room(3).receive(&server, 0, None), Ok(1));
    assert_eq!(Messages::room(3).receive(&server, 0, None), Err(Errno::EAGAIN));
}

#[test]
fn the_time_limit_is_looked_at_after_each_message() {
    let (server, client) = connected();
    for text in [b"1", b"2", b"3"] {
        send(&client, text, 0).unwrap();
    }
    let mut limit = timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(Messages::room(3).receive(&server, 0, Some(&mut limit)), Ok(1));
    let mut limit = timespec { tv_sec: 100, tv_nsec: 0 };
    assert_eq!(Messages::room(2).receive(&server, 0, Some(&mut limit)), Ok(2));
    assert!((90..100).contains(&limit.tv_sec), "{}", limit.tv_sec);
    for wrong in
        [timespec { tv_sec: -1, tv_nsec: 0 }, timespec { tv_sec: 0, tv_nsec: 1_000_000_000 }]
    {
        let result = Messages::room(1).receive(&server, MSG_DONTWAIT, Some(&mut wrong.clone()));
        assert_eq!(result, Err(Errno::EINVAL));
    }
    let mut room = Messages::room(1);
    let result = receive_many(&server, room.headers.as_mut_ptr() as usize, 1, MSG_DONTWAIT, 8);
    assert_eq!(result, Err(Errno::EFAULT));
    // It does not end the wait for the first.
    let start = Instant::now();
    let later = thread::spawn(move || {
        thread::sleep(time::ms(80));
        send(&client, b"4", 0).unwrap();
    });
    let mut limit = timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    assert_eq!(room.receive(&server, 0, Some(&mut limit)), Ok(1));
    assert!(start.elapsed() >= Duration::from_millis(70));
    later.join().unwrap();
}

#[test]
fn messages_are_told_to_be_cut_and_stay_when_peeked_at() {
    let (server, client) = connected();
    Messages::of(&[b"longer than the room", b"two"]).send(&client, 0).unwrap();
    let mut got = Messages::room(2);
    assert_eq!(got.receive(&server, MSG_PEEK, None), Ok(2));
    assert_eq!(got.texts(2), [&b"longer t"[..], b"longer t"], "the first, again");
    assert_eq!(got.headers[0].msg_hdr.msg_flags & MSG_TRUNC, MSG_TRUNC);
    assert_eq!(got.receive(&server, MSG_TRUNC, None), Ok(2));
    assert_eq!(got.lengths(), [20, 3]);
}

#[test]
fn an_error_that_waits_comes_before_what_can_be_read() {
    let (server, client) = connected();
    let (own, to) = (socket::name(&client).unwrap(), socket::name(&server).unwrap());
    assert_eq!(socket::send_to(&server, b"x", &own), Ok(1));
    drop(server);
    send(&client, b"to nobody", 0).unwrap();
    let other = udp(0);
    bind(&other, &to).unwrap();
    let mut got = Messages::room(2);
    assert_eq!(got.receive(&client, MSG_DONTWAIT, None), Err(Errno::ECONNREFUSED));
    assert_eq!(got.receive(&client, MSG_DONTWAIT, None), Ok(1));
    assert_eq!(error(&client), 0);
}

#[test]
fn a_signal_ends_the_wait_for_the_rest() {
    let (server, client) = connected();
    pollux_tests::child::run(move || {
        signal::count(libc::SIGALRM, 0);
        send(&client, b"one", 0).unwrap();
        let got = signal::interrupted(time::ms(50), || Messages::room(2).receive(&server, 0, None));
        assert_eq!(got, Ok(1));
        // Linux leaves a number of its own for the next call (ERESTARTSYS, 512), which nobody should see.
        assert_ne!(error(&server), 0);
        let got = signal::interrupted(time::ms(50), || Messages::room(2).receive(&server, 0, None));
        assert_eq!((got, error(&server)), (Err(Errno::EINTR), 0));
    });
}
