//! Which process ends when memory does.
//!
//! Owns: how bad a process is, and the texts of `/proc/PID/oom_score_adj` and its kin.   Not here: walking the
//! processes, killing one (`task/oom`).
//! Source: proc(5); Linux 6.1 mm/oom_kill.c (`oom_badness`), fs/proc/base.c (`oom_score_adj_write`, `__set_oom_adj`).

use crate::abi::errno::Errno;

/// `OOM_SCORE_ADJ_MIN`: the process is never chosen.
pub const NEVER: i16 = -1000;
/// `OOM_SCORE_ADJ_MAX`.
pub const FIRST: i16 = 1000;
/// `OOM_DISABLE`, the lowest value of the old file `oom_adj`.
const OLD_NEVER: i64 = -17;
/// `OOM_ADJUST_MAX`.
const OLD_FIRST: i64 = 15;

/// Returns how bad a process is: the pages that it holds, shifted by `adjustment` thousandths of all `total` pages.
/// `None`: it is never chosen.
#[must_use]
pub fn badness(held: usize, adjustment: i16, total: usize) -> Option<i64> {
    if adjustment == NEVER {
        return None;
    }
    let [held, total] = [held, total].map(|pages| i64::try_from(pages).unwrap_or(i64::MAX / 2));
    Some(held.saturating_add(i64::from(adjustment) * (total / 1000)))
}

/// Returns the text's number in `/proc/PID/oom_score`: 0 to 2000, two thirds of what [`badness`] is in thousandths.
#[must_use]
pub fn score(badness: Option<i64>, total: usize) -> i64 {
    let total = i64::try_from(total).unwrap_or(i64::MAX).max(1);
    badness.map_or(0, |points| (1000 + points.saturating_mul(1000) / total) * 2 / 3)
}

/// Which file an adjustment is written to or read from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scale {
    /// `oom_score_adj`: thousandths.
    Thousandths,
    /// `oom_adj`: -17 to 15, from before Linux 2.6.36.
    Old,
}

impl Scale {
    /// Parses what a program wrote.
    ///
    /// # Errors
    /// `EINVAL`: not a number, or out of range. `ERANGE`: no `int`.
    pub fn parse(self, text: &[u8]) -> Result<i16, Errno> {
        let number = parse_int(text)?;
        let number = match self {
            Self::Thousandths => Some(number),
            Self::Old if number == OLD_FIRST => Some(FIRST.into()),
            Self::Old => {
                (OLD_NEVER..OLD_FIRST).contains(&number).then(|| number * i64::from(FIRST) / -OLD_NEVER)
            }
        };
        let number = number.and_then(|number| i16::try_from(number).ok());
        number.filter(|number| (NEVER..=FIRST).contains(number)).ok_or(Errno::EINVAL)
    }

    /// Returns the number that a program reads.
    #[must_use]
    pub fn shown(self, adjustment: i16) -> i64 {
        match self {
            Self::Thousandths => adjustment.into(),
            Self::Old if adjustment == FIRST => OLD_FIRST,
            Self::Old => (i64::from(adjustment) * -OLD_NEVER / i64::from(FIRST)).min(OLD_FIRST),
        }
    }

    /// Returns whether a process without `CAP_SYS_RESOURCE` may set `wanted`: not below what it has (`oom_adj`), or
    /// below what a privileged one set last (`oom_score_adj`).
    #[must_use]
    pub const fn may_set(self, wanted: i16, now: i16, least: i16) -> bool {
        match self {
            Self::Thousandths => wanted >= least,
            Self::Old => wanted >= now,
        }
    }
}

/// Parses an `int` as `kstrtoint` does with base 0: blanks around it, a sign, `0x` or `0` in front.
fn parse_int(text: &[u8]) -> Result<i64, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let text = text.split('\0').next().unwrap_or_default();
    let text = text.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b');
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', next, ..] if next.is_ascii_hexdigit() => (16, &digits[2..]),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(base)) {
        return Err(Errno::EINVAL);
    }
    let number = u64::from_str_radix(digits, base).map_err(|_| Errno::ERANGE)?;
    let number = i64::try_from(number).map_err(|_| Errno::ERANGE)?;
    let number = if is_negative { -number } else { number };
    i32::try_from(number).map(i64::from).map_err(|_| Errno::ERANGE)
}

#[cfg(test)]
mod tests {
    use super::{FIRST, NEVER, Scale, badness, score};
    use crate::abi::errno::Errno;

    #[test]
    fn who_holds_most_is_worst_unless_told_otherwise() {
        let total = 100_000;
        assert!(badness(500, 0, total) > badness(400, 0, total));
        assert!(badness(400, 10, total) > badness(500, 0, total));
        assert!(badness(50_000, -999, total) < badness(0, 0, total));
        assert_eq!(badness(99_000, NEVER, total), None);
        assert_eq!(badness(0, FIRST, total), Some(100_000));
    }

    #[test]
    fn the_score_has_linuxs_scale() {
        assert_eq!(score(badness(0, 0, 100_000), 100_000), 666);
        assert_eq!(score(badness(0, FIRST, 100_000), 100_000), 1333);
        assert_eq!(score(badness(100_000, 0, 100_000), 100_000), 1333);
        assert_eq!(score(None, 100_000), 0);
    }

    #[test]
    fn numbers_are_written_in_any_base() {
        let parse = |text: &str| Scale::Thousandths.parse(text.as_bytes());
        assert_eq!(parse("500\n"), Ok(500));
        assert_eq!(parse(" -1000 "), Ok(-1000));
        assert_eq!(parse("0x10"), Ok(16));
        assert_eq!(parse("-010"), Ok(-8));
        for text in ["", "1001", "-1001", "5x", "--5", "08", "0x", "1 2", "- 5"] {
            assert_eq!(parse(text), Err(Errno::EINVAL), "{text:?}");
        }
        assert_eq!(parse("99999999999"), Err(Errno::ERANGE));
    }

    #[test]
    fn the_old_file_has_its_own_steps() {
        assert_eq!(Scale::Old.parse(b"15"), Ok(FIRST));
        assert_eq!(Scale::Old.parse(b"-17"), Ok(NEVER));
        assert_eq!(Scale::Old.parse(b"8"), Ok(470));
        assert_eq!(Scale::Old.parse(b"16"), Err(Errno::EINVAL));
        assert_eq!([NEVER, 0, 470, FIRST].map(|value| Scale::Old.shown(value)), [-17, 0, 7, 15]);
    }

    #[test]
    fn only_the_privileged_lower_what_a_privileged_one_set() {
        assert!(Scale::Thousandths.may_set(0, 500, 0) && !Scale::Thousandths.may_set(-1, 500, 0));
        assert!(Scale::Old.may_set(500, 500, 0) && !Scale::Old.may_set(499, 500, 0));
    }
}
