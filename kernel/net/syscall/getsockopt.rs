//! getsockopt(2), setsockopt(2).
//!
//! Source: socket(7), tcp(7); Linux 6.1 net/core/sock.c, net/ipv4/tcp.c.

mod ip;
mod netlink;
mod tcp;

use core::ops::RangeInclusive;
use core::time::Duration;

use ostd_pod::{Immutable, IntoBytes, Pod};
use rules::abi::errno::Errno;
use rules::abi::time::Timeval;
use rules::core::fd::Fd;
use rules::linux::capability::Capability;
use rules::net::abi::socket::{IPPROTO_IP, IPPROTO_TCP, Linger, SOL_SOCKET, Ucred, family, so};
use rules::net::socket::Switches;

use super::socket;
use crate::linux::netlink::NetlinkSocket;
use crate::linux::syscall::context::{Caller, Context, SysResult};
use crate::linux::unix::UnixSocket;
use crate::machine::memory::user::{UserPtr, UserSlice};
use crate::net::socket::Socket;

/// The least and the most that a buffer's size can be: `SOCK_MIN_SNDBUF`, `SOCK_MIN_RCVBUF`, and half of `wmem_max`.
const LEAST_SEND_BUFFER: u32 = 4608;
const LEAST_RECEIVE_BUFFER: u32 = 2304;
const MOST_BUFFER: u32 = 212_992;

/// The priorities that every program may set.
const PRIORITIES: RangeInclusive<i32> = 0..=6;

/// What is told as it was set.
const fn switch(name: u32) -> Option<Switches> {
    match name {
        so::DEBUG => Some(Switches::DEBUG),
        so::DONTROUTE => Some(Switches::DONT_ROUTE),
        so::BROADCAST => Some(Switches::BROADCAST),
        so::OOBINLINE => Some(Switches::OUT_OF_BAND_INLINE),
        _ => None,
    }
}

/// Where an answer goes.
struct Answer<'a, 'b> {
    cx: &'a Context<'b>,
    value: usize,
    len: usize,
}

impl Answer<'_, '_> {
    /// Writes as much of `value` as there is room for, and how much that is.
    fn write<T: IntoBytes + Immutable>(&self, value: T) -> SysResult {
        let len = UserPtr::<i32>::new(self.cx.space(), self.len);
        let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
        let bytes = value.as_bytes();
        let written = room.min(bytes.len());
        UserSlice::new(self.cx.space(), self.value, written)?.write_bytes(&bytes[..written])?;
        len.write(&(written as i32)).map(|()| 0)
    }

    /// Checks that there is room for `len` bytes.
    ///
    /// # Errors
    /// `EINVAL`: there is not. `EFAULT`: that cannot be read.
    fn require(&self, len: usize) -> Result<(), Errno> {
        let room = UserPtr::<i32>::new(self.cx.space(), self.len).read()?;
        if usize::try_from(room).is_ok_and(|room| room >= len) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn write_flag(&self, is_on: bool) -> SysResult {
        self.write(i32::from(is_on))
    }

    fn write_time(&self, time: Option<Duration>) -> SysResult {
        self.write(Timeval::from(time.unwrap_or_default()))
    }
}

/// Tells an option's value.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EOPNOTSUPP`: no such level. `ENOPROTOOPT`: no such option. `EINVAL`: negative room.
/// `EFAULT`: not writable.
pub(crate) fn getsockopt(
    cx: &mut Context<'_>,
    fd: Fd,
    (level, name): (u32, u32),
    value: usize,
    len: usize,
) -> SysResult {
    let file = socket::find(cx, fd)?;
    let socket = socket::of(&file)?;
    let answer = Answer { cx, value, len };
    match level {
        SOL_SOCKET => get_socket(socket, name, &answer),
        _ if file.downcast::<UnixSocket>().is_some() => Err(Errno::EOPNOTSUPP),
        _ if let Some(socket) = file.downcast::<NetlinkSocket>() => {
            netlink::get(socket, level, name, &answer)
        }
        IPPROTO_TCP => tcp::get(file.downcast().ok_or(Errno::EOPNOTSUPP)?, name, &answer),
        IPPROTO_IP => ip::get(socket, name, &answer),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn get_socket(socket: &dyn Socket, name: u32, answer: &Answer<'_, '_>) -> SysResult {
    let options = socket.options();
    let nature = socket.nature();
    match name {
        so::ERROR => answer.write(socket.take_error().map_or(0, Errno::number)),
        so::TYPE => answer.write(nature.kind),
        so::DOMAIN => answer.write(u32::from(nature.family)),
        so::PROTOCOL => answer.write(nature.protocol),
        so::PEERCRED => answer.write(socket.peer_credentials().unwrap_or(Ucred::NOBODY)),
        so::ACCEPTCONN => answer.write_flag(socket.is_listening()),
        so::REUSEADDR => answer.write_flag(options.reuse_address),
        so::REUSEPORT => answer.write_flag(options.reuse_port),
        so::KEEPALIVE => answer.write_flag(options.keep_alive),
        so::SNDBUF => answer.write(options.send_buffer as i32),
        so::RCVBUF => answer.write(options.receive_buffer as i32),
        so::RCVLOWAT => answer.write(options.low_water as i32),
        so::SNDLOWAT => answer.write(1_i32),
        so::RCVTIMEO => answer.write_time(options.receive_timeout),
        so::SNDTIMEO => answer.write_time(options.send_timeout),
        so::LINGER => answer
            .write(Linger { on: i32::from(options.linger.is_some()), seconds: options.linger_told as i32 }),
        so::PRIORITY => answer.write(options.priority),
        _ if let Some(switch) = switch(name) => answer.write_flag(options.switches.contains(switch)),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// Changes an option.
///
/// # Errors
/// Nothing changed. `EBADF`, `ENOTSOCK`: no socket. `ENOPROTOOPT`: no such option. `EINVAL`: too short, or no value for
/// it. `EDOM`: no time. `EOPNOTSUPP`: not of this family. `EPERM`, `EACCES`: not everybody's to set. `EFAULT`: not
/// readable.
pub(crate) fn setsockopt(
    cx: &mut Context<'_>,
    fd: Fd,
    (level, name): (u32, u32),
    value: usize,
    len: i32,
) -> SysResult {
    let file = socket::find(cx, fd)?;
    let socket = socket::of(&file)?;
    let given = Given { cx, value, len: usize::try_from(len).map_err(|_| Errno::EINVAL)? };
    match level {
        SOL_SOCKET => set_socket(socket, name, &given),
        _ if file.downcast::<UnixSocket>().is_some() => Err(Errno::EOPNOTSUPP),
        _ if let Some(socket) = file.downcast::<NetlinkSocket>() => netlink::set(socket, level, name, &given),
        IPPROTO_TCP => tcp::set(file.downcast().ok_or(Errno::ENOPROTOOPT)?, name, &given),
        IPPROTO_IP => ip::set(socket, name, &given),
        _ => Err(Errno::ENOPROTOOPT),
    }?;
    Ok(0)
}

/// A value that a program gave.
struct Given<'a, 'b> {
    cx: &'a Context<'b>,
    value: usize,
    len: usize,
}

impl Given<'_, '_> {
    fn read<T: Pod>(&self) -> Result<T, Errno> {
        if self.len < size_of::<T>() {
            return Err(Errno::EINVAL);
        }
        UserPtr::<T>::new(self.cx.space(), self.value).read()
    }

    fn number(&self) -> Result<i32, Errno> {
        self.read()
    }

    /// A number of one byte or of four.
    fn small_number(&self) -> Result<i32, Errno> {
        if self.len < size_of::<i32>() { self.read::<u8>().map(i32::from) } else { self.number() }
    }

    fn flag(&self) -> Result<bool, Errno> {
        self.number().map(|number| number != 0)
    }

    fn time(&self) -> Result<Option<Duration>, Errno> {
        let time = self.read::<Timeval>()?;
        if !(0..1_000_000).contains(&time.microseconds) {
            return Err(Errno::EDOM);
        }
        // A negative time is over at once, but so that it never is zero, which is for ever.
        let time = time.to_duration().unwrap_or(Duration::from_nanos(1));
        Ok(Some(time).filter(|time| !time.is_zero()))
    }

    /// A buffer's size, which Linux doubles for its own needs. A negative one is as large as can be.
    fn size(&self, least: u32) -> Result<usize, Errno> {
        let bytes = self.number()?.cast_unsigned().min(MOST_BUFFER) * 2;
        Ok(bytes.max(least) as usize)
    }
}

fn set_socket(socket: &dyn Socket, name: u32, given: &Given<'_, '_>) -> Result<(), Errno> {
    match name {
        so::REUSEADDR => {
            let is_on = given.flag()?;
            socket.update_options(&mut |options| options.reuse_address = is_on);
        }
        so::REUSEPORT => {
            let is_on = given.flag()?;
            if is_on && socket.nature().family != family::AF_INET {
                return Err(Errno::EOPNOTSUPP);
            }
            socket.update_options(&mut |options| options.reuse_port = is_on);
        }
        so::KEEPALIVE => {
            let is_on = given.flag()?;
            socket.update_options(&mut |options| options.keep_alive = is_on);
        }
        so::SNDBUF => {
            let bytes = given.size(LEAST_SEND_BUFFER)?;
            socket.update_options(&mut |options| options.send_buffer = bytes);
        }
        so::RCVBUF => {
            let bytes = given.size(LEAST_RECEIVE_BUFFER)?;
            socket.update_options(&mut |options| options.receive_buffer = bytes);
        }
        so::RCVLOWAT => {
            // 0 is 1, and a negative number the largest.
            let bytes = usize::try_from(given.number()?).unwrap_or(usize::MAX).max(1);
            socket.set_low_water(bytes);
        }
        so::RCVTIMEO => {
            let time = given.time()?;
            socket.update_options(&mut |options| options.receive_timeout = time);
        }
        so::SNDTIMEO => {
            let time = given.time()?;
            socket.update_options(&mut |options| options.send_timeout = time);
        }
        so::LINGER => {
            let linger = given.read::<Linger>()?;
            let time = Duration::from_secs(u64::try_from(linger.seconds).unwrap_or(0));
            socket.update_options(&mut |options| {
                options.linger = (linger.on != 0).then_some(time);
                if linger.on != 0 {
                    options.linger_told = linger.seconds.cast_unsigned();
                }
            });
        }
        so::PRIORITY => {
            let number = given.number()?;
            if !PRIORITIES.contains(&number) && !given.cx.credentials().can(Capability::NET_ADMIN) {
                return Err(Errno::EPERM);
            }
            socket.update_options(&mut |options| options.priority = number);
        }
        _ if let Some(switch) = switch(name) => {
            let is_on = given.flag()?;
            if switch == Switches::DEBUG && is_on && !given.cx.credentials().can(Capability::NET_ADMIN) {
                return Err(Errno::EACCES);
            }
            socket.update_options(&mut |options| options.switches.set(switch, is_on));
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}
