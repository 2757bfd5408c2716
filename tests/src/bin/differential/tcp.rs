//! Does random operations on both ends of TCP connections over loopback, and logs the readiness of all ends after each.
//!
//! It never fills an end's buffers: kernels differ in their size, and so in the result of a write that fills them. It
//! logs everything else that a program can see.

use std::thread;
use std::time::Duration;

use libc::{
    IPPROTO_TCP, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, O_NONBLOCK, POLLIN,
    POLLOUT, POLLPRI, POLLRDHUP, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_LINGER, SO_RCVLOWAT, SOL_SOCKET,
    TCP_CORK, TCP_NODELAY,
};
use pollux_tests::epoll::{self, Epoll, events};
use pollux_tests::random::Random;
use pollux_tests::socket::{self, Address};
use pollux_tests::{Errno, Fd, poll};

use crate::log::Log;

/// The largest number of sockets at a time.
const MOST: usize = 10;
/// The most bytes that an end may have unread.
const UNREAD: i32 = 6000;
/// Time for Linux to handle packets that it left to a kernel thread.
const SETTLING: Duration = Duration::from_micros(100);
/// The events to poll for.
const ALL: i16 = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;

/// A socket.
struct End {
    fd: Fd,
    /// Its name in the log: its number in order of creation.
    name: u32,
    /// The name of the other end, if that is known.
    peer: Option<u32>,
    /// The port of a listener.
    address: Option<Address>,
    /// The sockets that have connected and that no accept has returned.
    waiting: Vec<u32>,
    /// It was shut down before it was connected. If it then connects on Linux, it is connected and shut down at once,
    /// but its peer gets no FIN; on Pollux it is only connected.
    is_spent: bool,
}

pub(crate) struct World<'a> {
    ends: Vec<End>,
    random: Random,
    log: &'a mut Log,
    epoll: Epoll,
    names: u32,
}

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, log: &'a mut Log) -> Self {
        Self { ends: Vec::new(), random: Random::new(seed), log, epoll: Epoll::new(), names: 0 }
    }

    /// Does `count` operations.
    pub(crate) fn run(mut self, count: u64) {
        for _ in 0..count {
            match self.random.below(100) {
                _ if self.ends.is_empty() => self.listen(),
                0..8 if self.ends.len() < MOST => self.connect(),
                8..16 if self.ends.len() < MOST => self.accept(),
                16..18 if self.ends.len() < MOST => self.make(),
                18..20 if self.ends.len() < MOST => self.listen(),
                0..24 => self.close(),
                24..30 => self.shut_down(),
                30..36 => self.ask(),
                36..40 => self.set(),
                40..44 => self.connect_again(),
                44..68 => self.write(),
                _ => self.read(),
            }
            self.look();
            self.log.next();
        }
    }

    fn add(&mut self, fd: Fd, peer: Option<u32>, address: Option<Address>) -> u32 {
        let name = self.names;
        self.names += 1;
        // A segment that waits for an acknowledgment goes when Linux's timer expires.
        socket::set(&fd, IPPROTO_TCP, TCP_NODELAY, 1).expect("a TCP socket");
        let wanted = self.random.pick(&[
            events::IN | events::OUT | events::RDHUP | events::ET,
            events::IN | events::RDHUP | events::ET,
            events::IN | events::OUT,
            events::IN,
        ]);
        self.epoll.add(&fd, wanted, u64::from(name)).expect("a new descriptor");
        self.ends.push(End { fd, name, peer, address, waiting: Vec::new(), is_spent: false });
        name
    }

    /// Chooses an end that `is_meant`, and returns its index.
    fn any(&mut self, is_meant: impl Fn(&End) -> bool) -> Option<usize> {
        let found: Vec<_> =
            (0..self.ends.len()).filter(|index| is_meant(&self.ends[*index])).collect();
        if found.is_empty() { None } else { Some(self.random.pick(&found)) }
    }

    fn make(&mut self) {
        let name = self.add(socket::tcp(libc::SOCK_NONBLOCK), None, None);
        self.log.note(format_args!("socket {name}"));
    }

    fn listen(&mut self) {
        let (fd, address) = socket::listener(2, libc::SOCK_NONBLOCK);
        let name = self.add(fd, None, Some(address));
        self.log.note(format_args!("listen {name}"));
    }

    fn connect(&mut self) {
        let Some(listener) = self.any(|end| end.address.is_some() && end.waiting.len() < 3) else {
            return self.make();
        };
        let Some(address) = self.ends[listener].address else { return };
        let (fd, result) = socket::connecting(&address);
        let name = self.add(fd, None, None);
        self.ends[listener].waiting.push(name);
        let to = self.ends[listener].name;
        self.log.note(format_args!("connect {name} to {to} = {result:?}"));
    }

    fn accept(&mut self) {
        let Some(index) = self.any(|end| !end.waiting.is_empty()).or_else(|| self.any(|_| true))
        else {
            return;
        };
        let result = socket::accept(&self.ends[index].fd, O_NONBLOCK);
        let of = self.ends[index].name;
        match result {
            Err(error) => self.log.note(format_args!("accept {of} = {error:?}")),
            Ok(fd) => {
                let peer = self.ends[index].waiting.remove(0);
                let name = self.add(fd, Some(peer), None);
                if let Some(end) = self.ends.iter_mut().find(|end| end.name == peer) {
                    end.peer = Some(name);
                }
                self.log.note(format_args!("accept {of} = {name} from {peer}"));
            }
        }
    }

    fn close(&mut self) {
        let Some(index) = self.any(|_| true) else { return };
        let hard = self.random.chance(1, 4);
        if hard {
            let _ = socket::set_value(&self.ends[index].fd, SOL_SOCKET, SO_LINGER, &[1_i32, 0]);
        }
        let end = self.ends.swap_remove(index);
        let result = end.fd.close();
        self.log.note(format_args!("close {} {hard} = {result:?}", end.name));
    }

    fn shut_down(&mut self) {
        let Some(index) = self.any(|_| true) else { return };
        let how = self.random.pick(&[SHUT_RD, SHUT_WR, SHUT_WR, SHUT_RDWR]);
        let end = &mut self.ends[index];
        let result = socket::shutdown(&end.fd, how);
        if result.is_ok() && end.address.is_some() && how != SHUT_WR {
            // The kernel has refused the waiting connections.
            end.waiting.clear();
            end.address = None;
        }
        if result.is_ok() {
            // Linux reports the acknowledgment of the FIN, which comes when the peer's timer expires.
            let level = events::IN | events::OUT | events::RDHUP;
            self.epoll.modify(&end.fd, level, u64::from(end.name)).expect("it was added");
        }
        end.is_spent |= result == Err(Errno::ENOTCONN);
        self.log.note(format_args!("shutdown {} {how} = {result:?}", end.name));
    }

    fn ask(&mut self) {
        let Some(index) = self.any(|_| true) else { return };
        let end = &self.ends[index];
        let name = end.name;
        match self.random.below(4) {
            0 => self.log.note(format_args!("SO_ERROR {name} = {}", socket::error(&end.fd))),
            1 => self.log.note(format_args!("FIONREAD {name} = {:?}", end.fd.unread())),
            2 => {
                let peer = socket::peer(&end.fd).map(drop);
                self.log.note(format_args!("getpeername {name} = {peer:?}"));
            }
            _ => {
                let listens = socket::get(&end.fd, SOL_SOCKET, libc::SO_ACCEPTCONN);
                self.log.note(format_args!("SO_ACCEPTCONN {name} = {listens:?}"));
            }
        }
    }

    fn set(&mut self) {
        let Some(index) = self.any(|_| true) else { return };
        let (level, option, value) = self.random.pick(&[
            (IPPROTO_TCP, TCP_NODELAY, 1),
            (SOL_SOCKET, SO_RCVLOWAT, 1),
            (SOL_SOCKET, SO_RCVLOWAT, 100),
            (IPPROTO_TCP, TCP_CORK, 0),
        ]);
        let end = &self.ends[index];
        let result = socket::set(&end.fd, level, option, value);
        self.log.note(format_args!("setsockopt {} {option} {value} = {result:?}", end.name));
    }

    /// Connects a socket, which may be connected already or listen.
    fn connect_again(&mut self) {
        let target = self.any(|end| end.address.is_some() && end.waiting.len() < 2);
        let Some(index) = self.any(|end| !end.is_spent) else { return };
        let address = target.and_then(|target| self.ends[target].address);
        let result = socket::connect(&self.ends[index].fd, &address.unwrap_or(Address::local(1)));
        let name = self.ends[index].name;
        if let Some(target) = target
            && result == Err(Errno::EINPROGRESS)
        {
            self.ends[target].waiting.push(name);
        }
        self.log.note(format_args!("connect again {name} = {result:?}"));
    }

    fn write(&mut self) {
        let Some(index) = self.any(|end| end.address.is_none()) else { return };
        let count = self.random.pick(&[0, 1, 5, 99, 100, 1000, 3000]);
        let end = &self.ends[index];
        // An end that no accept has returned takes little, too.
        let peer = self.ends.iter().find(|other| Some(other.name) == end.peer);
        let unread = peer.map_or(0, |peer| peer.fd.unread().unwrap_or(0));
        let bytes: Vec<_> = (0..count).map(|at| (at * 7 + count) as u8).collect();
        if unread + count > UNREAD || (peer.is_none() && count > 100) {
            return self.log.note(format_args!("no write {}", end.name));
        }
        let result = socket::send(&end.fd, &bytes, MSG_NOSIGNAL);
        self.log.note(format_args!("send {} {count} = {result:?}", end.name));
    }

    fn read(&mut self) {
        let Some(index) = self.any(|_| true) else { return };
        let most = self.random.pick(&[0, 1, 7, 100, 5000, 5000]);
        let flags = self.random.pick(&[0, 0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT]);
        let end = &self.ends[index];
        let result = socket::recv(&end.fd, most, flags).map(|bytes| {
            // MSG_TRUNC leaves nothing in the buffer.
            let seen = if flags == MSG_TRUNC { &[][..] } else { &bytes[..] };
            let sum = seen.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(*byte));
            (bytes.len(), sum)
        });
        self.log.note(format_args!("recv {} {most} {flags:#x} = {result:x?}", end.name));
    }

    /// Logs the readiness of all ends, and the events that epoll reports.
    fn look(&mut self) {
        thread::sleep(SETTLING);
        let mut entries: Vec<_> =
            self.ends.iter().map(|end| poll::entry(end.fd.number(), ALL)).collect();
        let _ = poll::poll(&mut entries, 0);
        let seen: Vec<_> =
            self.ends.iter().zip(&entries).map(|(end, entry)| (end.name, entry.revents)).collect();
        self.log.note(format_args!("ready {seen:x?}"));
        let mut told: Vec<_> = epoll::wait(self.epoll.number(), 64, 0)
            .into_iter()
            .flatten()
            .map(|event| (event.data, event.events))
            .collect();
        told.sort_unstable();
        self.log.note(format_args!("told {told:x?}"));
    }
}
