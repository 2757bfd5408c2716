//! The options of the level `SOL_SOCKET`, which every socket has.
//!
//! Source: socket(7); Linux 6.1 net/core/sock.c.

use core::ops::RangeInclusive;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::net::abi::socket::{Linger, Ucred, family, so};
use rules::net::socket::Switches;

use super::{Number, OptionInput, OptionOutput};
use crate::core::syscall::caller::Right;
use crate::net::socket::Socket;

/// `SOCK_MIN_SNDBUF`, `SOCK_MIN_RCVBUF`.
const LEAST_SEND_BUFFER: u32 = 4608;
const LEAST_RECEIVE_BUFFER: u32 = 2304;

/// The priorities that every program may set.
const PRIORITIES: RangeInclusive<i32> = 0..=6;

/// Returns the options that are a number.
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

/// Writes the value of an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn get(socket: &dyn Socket, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
    let state = socket.state();
    let mut options = state.options();
    match name {
        so::ERROR => output.write(state.take_error().map_or(0, Errno::number)),
        so::TYPE => output.write(socket.socket_type().kind),
        so::DOMAIN => output.write(u32::from(socket.socket_type().family)),
        so::PROTOCOL => output.write(socket.socket_type().protocol),
        so::PEERCRED => output.write(socket.peer_credentials().unwrap_or(Ucred::NOBODY)),
        so::ACCEPTCONN => output.write_flag(state.is_listening()),
        so::RCVLOWAT => output.write(options.low_water as i32),
        so::SNDLOWAT => output.write(1_i32),
        so::RCVTIMEO => output.write_time(options.receive_timeout),
        so::SNDTIMEO => output.write_time(options.send_timeout),
        so::LINGER => output
            .write(Linger { on: i32::from(options.linger.is_some()), seconds: options.linger_told as i32 }),
        _ => output.write(number(name).ok_or(Errno::ENOPROTOOPT)?.get(&mut options)),
    }
}

/// Sets an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: too short. `EDOM`: no valid time. `EOPNOTSUPP`: not of this family.
/// `EPERM`, `EACCES`: without the capability. `EFAULT`: not readable.
pub(crate) fn set(socket: &dyn Socket, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
    match name {
        so::RCVLOWAT => {
            // 0 is 1, and a negative number the largest.
            let bytes = usize::try_from(input.number()?).unwrap_or(usize::MAX).max(1);
            socket.set_low_water(bytes);
        }
        so::RCVTIMEO => {
            let time = input.time()?;
            socket.update_options(&mut |options| options.receive_timeout = time);
        }
        so::SNDTIMEO => {
            let time = input.time()?;
            socket.update_options(&mut |options| options.send_timeout = time);
        }
        so::LINGER => {
            let linger = input.read::<Linger>()?;
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
            let number = input.number()?;
            check_right(socket, name, number, input)?;
            option.change(socket, number)?;
        }
    }
    Ok(())
}

/// Checks that the caller may set the option of this socket.
fn check_right(socket: &dyn Socket, name: u32, number: i32, input: &OptionInput<'_>) -> Result<(), Errno> {
    let is_admin = || input.caller.may(Right::AdministerNetwork);
    match name {
        so::REUSEPORT if number != 0 && socket.socket_type().family != family::AF_INET => {
            Err(Errno::EOPNOTSUPP)
        }
        so::PRIORITY if !PRIORITIES.contains(&number) && !is_admin() => Err(Errno::EPERM),
        so::DEBUG if number != 0 && !is_admin() => Err(Errno::EACCES),
        _ => Ok(()),
    }
}
