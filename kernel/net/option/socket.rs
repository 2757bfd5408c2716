//! The options of the level `SOL_SOCKET`, which every socket has.
//!
//! Source: socket(7); Linux 6.1 net/core/sock.c.

use core::ops::RangeInclusive;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::net::abi::socket::{Linger, Ucred, family, so};
use rules::net::socket::Switches;

use super::{Answer, Given, Number};
use crate::core::syscall::caller::Right;
use crate::net::socket::Socket;

/// `SOCK_MIN_SNDBUF`, `SOCK_MIN_RCVBUF`.
const LEAST_SEND_BUFFER: u32 = 4608;
const LEAST_RECEIVE_BUFFER: u32 = 2304;

/// The priorities that every program may set.
const PRIORITIES: RangeInclusive<i32> = 0..=6;

/// The options that are a number.
fn number(name: u32) -> Option<Number> {
    Some(match name {
        so::REUSEADDR => Number::Flag(|options| &mut options.reuse_address),
        so::REUSEPORT => Number::Flag(|options| &mut options.reuse_port),
        so::KEEPALIVE => Number::Flag(|options| &mut options.keep_alive),
        so::SNDBUF => Number::Buffer(LEAST_SEND_BUFFER, |options| &mut options.send_buffer),
        so::RCVBUF => Number::Buffer(LEAST_RECEIVE_BUFFER, |options| &mut options.receive_buffer),
        so::PRIORITY => Number::Any(|options| &mut options.priority),
        so::DEBUG => Number::Switch(Switches::DEBUG),
        so::DONTROUTE => Number::Switch(Switches::DONT_ROUTE),
        so::BROADCAST => Number::Switch(Switches::BROADCAST),
        so::OOBINLINE => Number::Switch(Switches::OUT_OF_BAND_INLINE),
        _ => return None,
    })
}

/// Tells an option's value.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn get(socket: &dyn Socket, name: u32, answer: &Answer<'_>) -> Result<(), Errno> {
    let state = socket.state();
    let mut options = state.options();
    match name {
        so::ERROR => answer.write(state.take_error().map_or(0, Errno::number)),
        so::TYPE => answer.write(socket.nature().kind),
        so::DOMAIN => answer.write(u32::from(socket.nature().family)),
        so::PROTOCOL => answer.write(socket.nature().protocol),
        so::PEERCRED => answer.write(socket.peer_credentials().unwrap_or(Ucred::NOBODY)),
        so::ACCEPTCONN => answer.write_flag(state.is_listening()),
        so::RCVLOWAT => answer.write(options.low_water as i32),
        so::SNDLOWAT => answer.write(1_i32),
        so::RCVTIMEO => answer.write_time(options.receive_timeout),
        so::SNDTIMEO => answer.write_time(options.send_timeout),
        so::LINGER => answer
            .write(Linger { on: i32::from(options.linger.is_some()), seconds: options.linger_told as i32 }),
        _ => answer.write(number(name).ok_or(Errno::ENOPROTOOPT)?.get(&mut options)),
    }
}

/// Changes an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: too short. `EDOM`: no time. `EOPNOTSUPP`: not of this family. `EPERM`,
/// `EACCES`: not everybody's to set. `EFAULT`: not readable.
pub(crate) fn set(socket: &dyn Socket, name: u32, given: &Given<'_>) -> Result<(), Errno> {
    match name {
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
        _ => {
            let option = number(name).ok_or(Errno::ENOPROTOOPT)?;
            let number = given.number()?;
            check_right(socket, name, number, given)?;
            option.change(socket, number)?;
        }
    }
    Ok(())
}

/// Checks that the caller may set the option of this socket.
fn check_right(socket: &dyn Socket, name: u32, number: i32, given: &Given<'_>) -> Result<(), Errno> {
    let is_admin = || given.caller.may(Right::AdministerNetwork);
    match name {
        so::REUSEPORT if number != 0 && socket.nature().family != family::AF_INET => Err(Errno::EOPNOTSUPP),
        so::PRIORITY if !PRIORITIES.contains(&number) && !is_admin() => Err(Errno::EPERM),
        so::DEBUG if number != 0 && !is_admin() => Err(Errno::EACCES),
        _ => Ok(()),
    }
}
