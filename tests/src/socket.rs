//! Wraps internet sockets with raw system calls.

use std::net::{Ipv4Addr, SocketAddrV4};

use libc::{AF_INET, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET};

use crate::Fd;
use crate::sys::{self, Result};

/// `struct sockaddr_in`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Address {
    /// `AF_INET`.
    pub family: u16,
    port: [u8; 2],
    ip: [u8; 4],
    zero: [u8; 8],
}

impl Address {
    /// Makes the address of `ip` and `port`.
    pub fn new(ip: Ipv4Addr, port: u16) -> Self {
        Self { family: AF_INET as u16, port: port.to_be_bytes(), ip: ip.octets(), zero: [0; 8] }
    }

    /// Makes the address of a port on loopback; 0 is any port.
    pub fn local(port: u16) -> Self {
        Self::new(Ipv4Addr::LOCALHOST, port)
    }

    /// Converts the address to Rust's type.
    pub fn parts(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(self.ip), u16::from_be_bytes(self.port))
    }
}

/// Calls socket(2).
pub fn socket(family: i32, kind: i32, protocol: i32) -> Result<Fd> {
    let arguments = [family as usize, kind as usize, protocol as usize];
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_socket, arguments) }.map(|fd| Fd::from_number(fd as i32))
}

/// Makes a stream socket, with `flags` such as `SOCK_NONBLOCK`.
pub fn tcp(flags: i32) -> Fd {
    socket(AF_INET, SOCK_STREAM | flags, 0).expect("a socket")
}

/// Calls bind(2).
pub fn bind(fd: &Fd, address: &Address) -> Result<()> {
    with_address(libc::SYS_bind, fd, address, 16)
}

/// Calls connect(2).
pub fn connect(fd: &Fd, address: &Address) -> Result<()> {
    with_address(libc::SYS_connect, fd, address, 16)
}

/// Calls bind(2) or connect(2) with an address of `len` bytes.
pub fn with_address(call: libc::c_long, fd: &Fd, address: &Address, len: usize) -> Result<()> {
    let arguments = [fd.number() as usize, &raw const *address as usize, len];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(call, arguments) }.map(drop)
}

/// Calls listen(2).
pub fn listen(fd: &Fd, backlog: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_listen, [fd.number() as usize, backlog as usize]) }.map(drop)
}

/// Calls accept4(2) without an address.
pub fn accept(fd: &Fd, flags: i32) -> Result<Fd> {
    let arguments = [fd.number() as usize, 0, 0, flags as usize];
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_accept4, arguments) }.map(|fd| Fd::from_number(fd as i32))
}

/// Calls accept4(2), and returns the peer's address too.
pub fn accept_from(fd: &Fd) -> Result<(Fd, Address)> {
    let mut address = Address::default();
    let mut len = 16_u32;
    let arguments = [fd.number() as usize, &raw mut address as usize, &raw mut len as usize, 0];
    // SAFETY: both are ours.
    let number = unsafe { sys::call(libc::SYS_accept4, arguments) }?;
    assert_eq!(len, 16);
    Ok((Fd::from_number(number as i32), address))
}

/// Calls getsockname(2).
pub fn name(fd: &Fd) -> Result<Address> {
    named(libc::SYS_getsockname, fd)
}

/// Calls getpeername(2).
pub fn peer(fd: &Fd) -> Result<Address> {
    named(libc::SYS_getpeername, fd)
}

fn named(call: libc::c_long, fd: &Fd) -> Result<Address> {
    let mut address = Address::default();
    let mut len = 16_u32;
    let arguments = [fd.number() as usize, &raw mut address as usize, &raw mut len as usize];
    // SAFETY: both are ours.
    unsafe { sys::call(call, arguments) }?;
    assert_eq!(len, 16);
    Ok(address)
}

/// Returns the limit of connections in TIME_WAIT: `tcp_max_tw_buckets`.
pub fn most_waiting() -> usize {
    let text =
        std::fs::read_to_string("/proc/sys/net/ipv4/tcp_max_tw_buckets").expect("the number");
    text.trim().parse().expect("a number")
}

/// Calls shutdown(2).
pub fn shutdown(fd: &Fd, how: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_shutdown, [fd.number() as usize, how as usize]) }.map(drop)
}

/// Calls sendto(2) without an address.
pub fn send(fd: &Fd, bytes: &[u8], flags: i32) -> Result<usize> {
    let arguments =
        [fd.number() as usize, bytes.as_ptr() as usize, bytes.len(), flags as usize, 0, 0];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_sendto, arguments) }
}

/// Calls recvfrom(2) without an address.
pub fn recv(fd: &Fd, len: usize, flags: i32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let arguments = [fd.number() as usize, bytes.as_mut_ptr() as usize, len, flags as usize, 0, 0];
    // SAFETY: the buffer is ours.
    let count = unsafe { sys::call(libc::SYS_recvfrom, arguments) }?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Makes a datagram socket, with `flags` such as `SOCK_NONBLOCK`.
pub fn udp(flags: i32) -> Fd {
    socket(AF_INET, libc::SOCK_DGRAM | flags, 0).expect("a socket")
}

/// Calls sendto(2).
pub fn send_to(fd: &Fd, bytes: &[u8], address: &Address) -> Result<usize> {
    let [at, to] = [bytes.as_ptr() as usize, &raw const *address as usize];
    let arguments = [fd.number() as usize, at, bytes.len(), 0, to, 16];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_sendto, arguments) }
}

/// Calls recvfrom(2), and returns the sender's address too.
pub fn recv_from(fd: &Fd, len: usize, flags: i32) -> Result<(Vec<u8>, Address)> {
    let mut bytes = vec![0; len];
    let mut address = Address::default();
    let mut room = 16_u32;
    let [at, from] = [bytes.as_mut_ptr() as usize, &raw mut address as usize];
    let arguments = [fd.number() as usize, at, len, flags as usize, from, &raw mut room as usize];
    // SAFETY: all memory that the kernel writes is ours.
    let count = unsafe { sys::call(libc::SYS_recvfrom, arguments) }?;
    assert_eq!(room, 16);
    bytes.truncate(count);
    Ok((bytes, address))
}

/// Sets an option that is an `int`.
pub fn set(fd: &Fd, level: i32, name: i32, value: i32) -> Result<()> {
    set_value(fd, level, name, &value)
}

/// Sets an option of any type.
pub fn set_value<T>(fd: &Fd, level: i32, name: i32, value: &T) -> Result<()> {
    let address = &raw const *value as usize;
    let arguments = [fd.number() as usize, level as usize, name as usize, address, size_of::<T>()];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_setsockopt, arguments) }.map(drop)
}

/// Returns an option that is an `int`.
pub fn get(fd: &Fd, level: i32, name: i32) -> Result<i32> {
    let mut value = 0_i32;
    let mut len = 4_u32;
    let addresses = [&raw mut value as usize, &raw mut len as usize];
    let arguments =
        [fd.number() as usize, level as usize, name as usize, addresses[0], addresses[1]];
    // SAFETY: both are ours.
    unsafe { sys::call(libc::SYS_getsockopt, arguments) }?;
    assert_eq!(len, 4);
    Ok(value)
}

/// Returns and clears the pending error, `SO_ERROR`.
pub fn error(fd: &Fd) -> i32 {
    get(fd, SOL_SOCKET, libc::SO_ERROR).expect("SO_ERROR")
}

/// Makes a listener on a port of loopback, and returns its address too.
pub fn listener(backlog: i32, flags: i32) -> (Fd, Address) {
    let fd = tcp(flags);
    bind(&fd, &Address::local(0)).expect("bind");
    listen(&fd, backlog).expect("listen");
    let address = name(&fd).expect("getsockname");
    (fd, address)
}

/// Makes a connection: the end that connected, and the accepted end.
pub fn pair() -> (Fd, Fd) {
    let (listener, address) = listener(1, 0);
    let client = tcp(0);
    connect(&client, &address).expect("connect");
    let server = accept(&listener, 0).expect("accept");
    (client, server)
}

/// Makes a [`pair`] with `O_NONBLOCK` on both ends.
pub fn nonblocking_pair() -> (Fd, Fd) {
    let (client, server) = pair();
    for end in [&client, &server] {
        end.set_flags(libc::O_NONBLOCK).expect("fcntl");
    }
    (client, server)
}

/// Starts to connect a non-blocking socket.
pub fn connecting(address: &Address) -> (Fd, Result<()>) {
    let fd = tcp(SOCK_NONBLOCK);
    let result = connect(&fd, address);
    (fd, result)
}

/// Returns a loopback address without a listener.
pub fn deserted() -> Address {
    listener(1, 0).1
}
