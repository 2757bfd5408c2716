//! Wraps local sockets with raw system calls, and messages with descriptors.

use libc::{AF_UNIX, c_int, c_void, cmsghdr, iovec, msghdr};

use crate::Fd;
use crate::socket;
use crate::sys::{self, Result};

/// The bytes of a `struct sockaddr_un`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub Vec<u8>);

impl Address {
    /// Makes the address with these bytes in `sun_path`.
    pub fn raw(path: &[u8]) -> Self {
        Self([&(AF_UNIX as u16).to_ne_bytes(), path].concat())
    }

    /// Makes the address of a path, with its NUL.
    pub fn path(path: &str) -> Self {
        Self::raw(&[path.as_bytes(), &[0]].concat())
    }

    /// Makes the address of an abstract name.
    pub fn hidden(name: &str) -> Self {
        Self::raw(&[&[0], name.as_bytes()].concat())
    }
}

/// Makes a local socket, with flags such as `SOCK_NONBLOCK` in `kind`.
pub fn socket(kind: c_int) -> Fd {
    socket::socket(AF_UNIX, kind, 0).expect("a local socket")
}

/// Calls bind(2).
pub fn bind(fd: &Fd, address: &Address) -> Result<()> {
    with_address(libc::SYS_bind, fd, address)
}

/// Calls connect(2).
pub fn connect(fd: &Fd, address: &Address) -> Result<()> {
    with_address(libc::SYS_connect, fd, address)
}

fn with_address(call: libc::c_long, fd: &Fd, address: &Address) -> Result<()> {
    let arguments = [fd.number() as usize, address.0.as_ptr() as usize, address.0.len()];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(call, arguments) }.map(drop)
}

/// Calls getsockname(2).
pub fn name(fd: &Fd) -> Result<Address> {
    named(libc::SYS_getsockname, fd).map(|(_, address)| address)
}

/// Calls getpeername(2).
pub fn peer(fd: &Fd) -> Result<Address> {
    named(libc::SYS_getpeername, fd).map(|(_, address)| address)
}

/// Calls accept4(2), and returns the address of the other end too.
pub fn accept_from(fd: &Fd) -> Result<(Fd, Address)> {
    named(libc::SYS_accept4, fd).map(|(number, address)| (Fd::from_number(number as i32), address))
}

fn named(call: libc::c_long, fd: &Fd) -> Result<(usize, Address)> {
    let mut bytes = vec![0_u8; 128];
    let mut len = bytes.len() as u32;
    let arguments = [fd.number() as usize, bytes.as_mut_ptr() as usize, &raw mut len as usize, 0];
    // SAFETY: both are ours.
    let result = unsafe { sys::call(call, arguments) }?;
    bytes.truncate(len as usize);
    Ok((result, Address(bytes)))
}

/// Calls socketpair(2).
pub fn pair(kind: c_int) -> (Fd, Fd) {
    let mut numbers = [0_i32; 2];
    let to = &raw mut numbers as usize;
    // SAFETY: the numbers are ours.
    unsafe { sys::call(libc::SYS_socketpair, [AF_UNIX as usize, kind as usize, 0, to]) }
        .expect("a pair");
    (Fd::from_number(numbers[0]), Fd::from_number(numbers[1]))
}

/// Makes a listener of this kind at `address`.
pub fn listener(kind: c_int, address: &Address, backlog: i32) -> Fd {
    let fd = socket(kind);
    bind(&fd, address).expect("bind");
    socket::listen(&fd, backlog).expect("listen");
    fd
}

/// A received message.
#[derive(Debug)]
pub struct Message {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The result of the call.
    pub told: usize,
    /// The descriptors.
    pub fds: Vec<Fd>,
    /// `msg_flags`.
    pub flags: c_int,
    /// `msg_name`.
    pub from: Vec<u8>,
    /// `msg_controllen`.
    pub control_len: usize,
}

/// Sends bytes and descriptors with sendmsg(2).
pub fn send_fds(fd: &Fd, bytes: &[u8], fds: &[i32], flags: c_int) -> Result<usize> {
    let data = fds.iter().flat_map(|fd| fd.to_ne_bytes()).collect::<Vec<_>>();
    let control = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &data);
    send_with(fd, bytes, &control, flags)
}

/// Makes a `struct cmsghdr` with `data` after it.
pub fn control(level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
    let len = size_of::<cmsghdr>() + data.len();
    let mut control = len.to_ne_bytes().to_vec();
    control.extend(level.to_ne_bytes());
    control.extend(kind.to_ne_bytes());
    control.extend(data);
    control.resize(len.next_multiple_of(8), 0);
    control
}

/// Calls sendmsg(2) with any ancillary data.
pub fn send_with(fd: &Fd, bytes: &[u8], control: &[u8], flags: c_int) -> Result<usize> {
    let mut iov = iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    // SAFETY: zeroes are an empty message.
    let mut header: msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_ptr() as *mut c_void;
    header.msg_controllen = control.len() as _;
    let arguments = [fd.number() as usize, &raw const header as usize, flags as usize];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_sendmsg, arguments) }
}

/// Calls recvmsg(2) for at most `len` bytes, with `room` bytes for ancillary data.
pub fn receive(fd: &Fd, len: usize, room: usize, flags: c_int) -> Result<Message> {
    let mut bytes = vec![0_u8; len];
    let mut control = vec![0_u64; room.div_ceil(8)];
    let mut from = vec![0_u8; 128];
    let mut iov = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: len };
    // SAFETY: zeroes are an empty message.
    let mut header: msghdr = unsafe { core::mem::zeroed() };
    header.msg_name = from.as_mut_ptr().cast();
    header.msg_namelen = 128;
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = room as _;
    let arguments = [fd.number() as usize, &raw mut header as usize, flags as usize];
    // SAFETY: all memory that the kernel writes is ours.
    let told = unsafe { sys::call(libc::SYS_recvmsg, arguments) }?;
    let control = control.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    let mut fds = Vec::new();
    if header.msg_controllen as usize >= size_of::<cmsghdr>() {
        let len = usize::from_ne_bytes(control[..8].try_into().expect("eight bytes"));
        let numbers = control[16..len].chunks_exact(4);
        fds = numbers
            .map(|number| i32::from_ne_bytes(number.try_into().expect("four bytes")))
            .map(Fd::from_number)
            .collect();
    }
    bytes.truncate(told.min(len));
    from.truncate(header.msg_namelen as usize);
    let control_len = header.msg_controllen as usize;
    Ok(Message { bytes, told, fds, flags: header.msg_flags, from, control_len })
}
