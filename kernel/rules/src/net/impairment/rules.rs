//! Parses `impair=` of the command line: `loss:5%,reorder:5%,duplicate:2%,corrupt:1%,delay:20,seed:7`.

use core::str::FromStr;
use core::time::Duration;

/// A probability, in millionths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share(u32);

impl Share {
    /// Never.
    pub const NONE: Self = Self(0);

    /// Always, in millionths.
    pub const WHOLE: u64 = 1_000_000;

    /// Returns how many of a million.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0 as u64
    }
}

/// The probability of each impairment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImpairmentRules {
    /// The packet is dropped.
    pub loss: Share,
    /// Others overtake it.
    pub reorder: Share,
    /// It is sent twice.
    pub duplicate: Share,
    /// One of its bits is inverted.
    pub corrupt: Share,
    /// The delay of each packet.
    pub delay: Duration,
    /// Seeds the random sequence.
    pub seed: u64,
}

impl ImpairmentRules {
    /// No impairment.
    pub const NONE: Self = Self {
        loss: Share::NONE,
        reorder: Share::NONE,
        duplicate: Share::NONE,
        corrupt: Share::NONE,
        delay: Duration::ZERO,
        seed: 0,
    };
}

/// Parses `NAME:VALUE` pairs, separated by commas: probabilities with a percent sign, the delay in milliseconds.
impl FromStr for ImpairmentRules {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut rules = Self::NONE;
        for rule in text.split(',') {
            let (name, value) = rule.split_once(':').ok_or(())?;
            match name {
                "loss" => rules.loss = value.parse()?,
                "reorder" => rules.reorder = value.parse()?,
                "duplicate" => rules.duplicate = value.parse()?,
                "corrupt" => rules.corrupt = value.parse()?,
                "delay" => rules.delay = Duration::from_millis(value.parse::<u16>().map_err(|_| ())?.into()),
                "seed" => rules.seed = value.parse().map_err(|_| ())?,
                _ => return Err(()),
            }
        }
        Ok(rules)
    }
}

/// Parses `5%` or `0.25%`, at most `100%`.
impl FromStr for Share {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = text.strip_suffix('%').ok_or(())?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_fine = [whole, part].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_fine || part.len() > 4 {
            return Err(());
        }
        let parse = |digits: &str| digits.parse::<u32>().map_err(|_| ());
        let scale = 10_u32.pow(4 - part.len() as u32);
        let share =
            parse(whole)?.checked_mul(10_000).ok_or(())?.checked_add(parse(part)? * scale).ok_or(())?;
        if u64::from(share) <= Self::WHOLE { Ok(Self(share)) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_a_whole() {
        let all = "loss:5%,reorder:0.5%,duplicate:100%,corrupt:0.0001%,delay:20,seed:18446744073709551615";
        let rules = ImpairmentRules {
            loss: Share(50_000),
            reorder: Share(5_000),
            duplicate: Share(1_000_000),
            corrupt: Share(1),
            delay: Duration::from_millis(20),
            seed: u64::MAX,
        };
        assert_eq!(all.parse(), Ok(rules));
        assert_eq!("seed:0".parse(), Ok(ImpairmentRules::NONE));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "",
            "loss",
            "loss:",
            "loss:5",
            "loss:%",
            "loss:.5%",
            "loss:5.%",
            "loss:101%",
            "loss:100.0001%",
            "loss:-1%",
            "loss:+1%",
            "loss:1.00001%",
            "loss:99999999999%",
            "loss:500000%",
            "loss:5%,",
            "less:5%",
            "delay:1s",
            "delay:65536",
            "seed:x",
            "loss:5% ",
        ] {
            assert_eq!(text.parse::<ImpairmentRules>(), Err(()), "{text}");
        }
    }
}
