//! The values of options: their types, and the parsers that clap calls for them.
//!
//! Not here: which option takes which value (`cli`).

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// This project's
    #[default]
    Pollux,
    /// Debian's Linux 6.1, for comparison
    Linux,
}

/// The firmware that starts a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firmware {
    /// SeaBIOS, for the BIOS of older PCs and of many clouds
    Bios,
    /// OVMF, for UEFI
    Uefi,
}

/// The place where tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// The tests of the crates that need no kernel, on the host
    Host,
    /// The tests inside the kernel, with one CPU
    Kernel,
    /// The tour from disk images, by BIOS and by UEFI
    Images,
    /// The guest's tests, on the twin
    Linux,
    /// The guest's tests, on this project's kernel
    Pollux,
}

impl Place {
    pub(super) const ALL: [Self; 5] = [Self::Host, Self::Kernel, Self::Images, Self::Linux, Self::Pollux];
}

/// The policy of the Pollee that the kernel is built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Policy {
    /// Caches events that a poll asked for
    #[default]
    Hybrid,
    /// Always caches exact events
    Stateful,
    /// Caches nothing and computes at each poll
    Stateless,
}

/// A time limit; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Option<Duration>);

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mebibytes(pub(crate) u64);

pub(super) fn cpus() -> impl clap::builder::TypedValueParser<Value = u8> {
    clap::value_parser!(u8).range(1..=64)
}

pub(super) fn file(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((host.into(), guest.into())),
        _ => Err("expected HOST:GUEST, with an absolute path in the guest".into()),
    }
}

pub(super) fn ports(text: &str) -> Result<(u16, u16), String> {
    let numbers =
        text.split_once(':').and_then(|(host, guest)| Some((host.parse().ok()?, guest.parse().ok()?)));
    numbers.filter(|&(_, guest)| guest != 0).ok_or_else(|| "expected HOST:GUEST, two port numbers".to_owned())
}

pub(super) fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".into()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Timeout, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let limit = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok(Timeout((!limit.is_zero()).then_some(limit)))
}

pub(crate) fn size(text: &str) -> Result<Mebibytes, String> {
    let (digits, shift) = match text.strip_suffix(['G', 'g']) {
        Some(digits) => (digits, 10),
        None => (text.strip_suffix(['M', 'm']).unwrap_or(text), 0),
    };
    match digits.parse::<u32>() {
        Ok(number @ 1..=0xf_ffff) => Ok(Mebibytes(u64::from(number) << shift)),
        _ => Err("expected a number with M or G".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_in_mebibytes_unless_said_otherwise() {
        assert_eq!(size("3G"), Ok(Mebibytes(3072)));
        assert_eq!((size("512M"), size("512")), (Ok(Mebibytes(512)), Ok(Mebibytes(512))));
        for text in ["", "G", "0", "-1", "1T", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_timeout_is_said_with_zero() {
        assert_eq!(seconds("0"), Ok(Timeout(None)));
        assert_eq!(seconds("1.5"), Ok(Timeout(Some(Duration::from_millis(1500)))));
    }
}
