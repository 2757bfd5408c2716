//! The options of the level `IPPROTO_TCP`.
//!
//! Source: tcp(7); Linux 6.1 net/ipv4/tcp.c (`do_tcp_setsockopt`, `do_tcp_getsockopt`).

use core::ops::RangeInclusive;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::net::abi::socket::tcp;
use rules::net::socket::Switches;

use super::{Number, OptionInput, OptionOutput};
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

/// Rounds `seconds` up to the end of a whole number of SYN retransmissions (`secs_to_retrans`, `retrans_to_secs`).
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

fn number(name: u32) -> Option<Number> {
    Some(match name {
        tcp::NODELAY => Number::Flag(|options| &mut options.no_delay),
        tcp::CORK => Number::Flag(|options| &mut options.cork),
        tcp::KEEPIDLE => Number::Seconds(KEEP_SECONDS, |options| &mut options.keep_idle),
        tcp::KEEPINTVL => Number::Seconds(KEEP_SECONDS, |options| &mut options.keep_interval),
        tcp::KEEPCNT => Number::Byte(KEEP_COUNT, |options| &mut options.keep_count),
        tcp::SYNCNT => Number::Byte(SYN_COUNT, |options| &mut options.syn_count),
        // Has no effect: the protocol decides when to acknowledge.
        tcp::QUICKACK => Number::Unless(Switches::SLOW_ACK),
        _ => return None,
    })
}

/// Writes the value of an option.
///
/// # Errors
/// `ENOPROTOOPT`: no such option.
pub(in crate::net) fn get(socket: &TcpSocket, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
    let mut options = socket.state().options();
    match name {
        tcp::USER_TIMEOUT => output.write(options.user_timeout.map_or(0, |time| time.as_millis() as i32)),
        tcp::MAXSEG => output.write(socket.segment_len() as i32),
        tcp::INFO => output.write(socket.info()),
        tcp::DEFER_ACCEPT => output.write(i32::from(options.defer_accept)),
        // The time in FIN_WAIT_2, which cannot be changed.
        tcp::LINGER2 => output.write(FIN_TIMEOUT),
        // A SYN never carries data.
        tcp::FASTOPEN => output.write(0_i32),
        _ => output.write(number(name).ok_or(Errno::ENOPROTOOPT)?.get(&mut options)),
    }
}

/// Sets an option.
///
/// # Errors
/// Nothing changed. `EINVAL`: too short, or not allowed. `ENOPROTOOPT`: no such option.
pub(in crate::net) fn set(socket: &TcpSocket, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
    let value = input.number()?;
    match name {
        tcp::USER_TIMEOUT => {
            let milliseconds = u64::try_from(value).map_err(|_| Errno::EINVAL)?;
            let time = (value != 0).then_some(Duration::from_millis(milliseconds));
            socket.update_options(&mut |options| options.user_timeout = time);
        }
        tcp::MAXSEG => {
            if value != 0 && !SEGMENT.contains(&value) {
                return Err(Errno::EINVAL);
            }
            let len = (value != 0).then_some(value as u16);
            socket.update_options(&mut |options| options.max_segment = len);
        }
        // Has no effect: the protocol decides when to acknowledge.
        tcp::DEFER_ACCEPT => {
            let seconds = repetitions(value);
            socket.update_options(&mut |options| options.defer_accept = seconds);
        }
        _ => number(name).ok_or(Errno::ENOPROTOOPT)?.change(socket, value)?,
    }
    Ok(())
}
