//! The options of the level `IPPROTO_TCP`.
//!
//! Source: tcp(7); Linux 6.1 net/ipv4/tcp.c (`do_tcp_setsockopt`, `do_tcp_getsockopt`).

use core::ops::RangeInclusive;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::net::abi::socket::tcp;
use rules::net::socket::Switches;

use super::{Answer, Given};
use crate::linux::syscall::context::SysResult;
use crate::net::socket::Socket as _;
use crate::net::tcp::TcpSocket;

/// `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL`, in seconds.
const KEEP_SECONDS: RangeInclusive<i32> = 1..=32_767;
/// `MAX_TCP_KEEPCNT`.
const KEEP_COUNT: RangeInclusive<i32> = 1..=127;
/// `MAX_TCP_SYNCNT`.
const SYN_COUNT: RangeInclusive<i32> = 1..=127;
/// `TCP_MIN_MSS` and `MAX_TCP_WINDOW`.
const SEGMENT: RangeInclusive<i32> = 88..=32_767;

/// `net.ipv4.tcp_fin_timeout`, in seconds.
const FIN_TIMEOUT: i32 = 60;

/// The seconds until so many repetitions of a SYN have been answered that `seconds` are over (`secs_to_retrans`,
/// `retrans_to_secs`).
fn repetitions(seconds: i32) -> u16 {
    const MOST: u16 = 120;
    let (mut pause, mut total) = (1, 0_u16);
    for _ in 0..u8::MAX {
        if i32::from(total) >= seconds {
            break;
        }
        total += pause;
        pause = MOST.min(pause * 2);
    }
    total
}

/// Tells an option's value.
///
/// # Errors
/// `ENOPROTOOPT`: no such option.
pub(super) fn get(socket: &TcpSocket, name: u32, answer: &Answer<'_, '_>) -> SysResult {
    let options = socket.options();
    match name {
        tcp::NODELAY => answer.write_flag(options.no_delay),
        tcp::CORK => answer.write_flag(options.cork),
        tcp::KEEPIDLE => answer.write(options.keep_idle.as_secs() as i32),
        tcp::KEEPINTVL => answer.write(options.keep_interval.as_secs() as i32),
        tcp::KEEPCNT => answer.write(i32::from(options.keep_count)),
        tcp::SYNCNT => answer.write(i32::from(options.syn_count)),
        tcp::USER_TIMEOUT => answer.write(options.user_timeout.map_or(0, |time| time.as_millis() as i32)),
        tcp::MAXSEG => answer.write(socket.segment_len() as i32),
        tcp::INFO => answer.write(socket.info()),
        tcp::QUICKACK => answer.write_flag(!options.switches.contains(Switches::SLOW_ACK)),
        tcp::DEFER_ACCEPT => answer.write(i32::from(options.defer_accept)),
        // How long the other end's FIN is waited for, which cannot be changed.
        tcp::LINGER2 => answer.write(FIN_TIMEOUT),
        // Connections carry nothing before they are there.
        tcp::FASTOPEN => answer.write(0_i32),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// Changes an option.
///
/// # Errors
/// `EINVAL`: too short, or no value for it. `ENOPROTOOPT`: no such option.
pub(super) fn set(socket: &TcpSocket, name: u32, given: &Given<'_, '_>) -> Result<(), Errno> {
    let number = given.number()?;
    let is_on = number != 0;
    let within = |range: RangeInclusive<i32>| {
        if range.contains(&number) { Ok(number.unsigned_abs()) } else { Err(Errno::EINVAL) }
    };
    let seconds = || within(KEEP_SECONDS).map(|seconds| Duration::from_secs(u64::from(seconds)));
    match name {
        tcp::NODELAY => socket.update_options(&mut |options| options.no_delay = is_on),
        tcp::CORK => socket.update_options(&mut |options| options.cork = is_on),
        tcp::KEEPIDLE => {
            let time = seconds()?;
            socket.update_options(&mut |options| options.keep_idle = time);
        }
        tcp::KEEPINTVL => {
            let time = seconds()?;
            socket.update_options(&mut |options| options.keep_interval = time);
        }
        tcp::KEEPCNT => {
            let count = within(KEEP_COUNT)? as u8;
            socket.update_options(&mut |options| options.keep_count = count);
        }
        tcp::SYNCNT => {
            let count = within(SYN_COUNT)? as u8;
            socket.update_options(&mut |options| options.syn_count = count);
        }
        tcp::USER_TIMEOUT => {
            let time = Duration::from_millis(u64::from(within(0..=i32::MAX)?));
            socket.update_options(&mut |options| options.user_timeout = Some(time).filter(|_| is_on));
        }
        tcp::MAXSEG => {
            let len = if is_on { Some(within(SEGMENT)? as u16) } else { None };
            socket.update_options(&mut |options| options.max_segment = len);
        }
        // The protocol machine decides these by itself.
        tcp::QUICKACK => {
            socket.update_options(&mut |options| options.switches.set(Switches::SLOW_ACK, !is_on));
        }
        tcp::DEFER_ACCEPT => {
            let seconds = repetitions(number);
            socket.update_options(&mut |options| options.defer_accept = seconds);
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}
