//! Makes allocations fail on purpose, as the command line's `fail_alloc=` says.
//!
//! Owns: which of the counted allocations fail.   Not here: which are counted (the kernel's `machine/memory/budget`).
//! Source: the idea of Linux's Documentation/fault-injection; `nth` is its `fail-nth`.

use core::str::FromStr;

/// Which allocations fail, counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Injection {
    /// This one alone.
    Nth(u64),
    /// One of so many, chosen by a seed.
    OneIn {
        /// Of how many; not 0.
        many: u64,
        /// What the choice depends on.
        seed: u64,
    },
}

impl Injection {
    /// Returns whether allocation `number` fails.
    #[must_use]
    pub const fn fails(self, number: u64) -> bool {
        match self {
            Self::Nth(nth) => number == nth,
            Self::OneIn { many, seed } => mix(seed ^ mix(number)).is_multiple_of(many),
        }
    }
}

/// Mixes the bits of a number: the finisher of splitmix64 (Steele, Lea and Flood 2014).
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl FromStr for Injection {
    type Err = ();

    /// Parses `nth:N`, or `1/N` with or without `,seed=S`; N is not 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| ());
        let positive =
            |digits| number(digits).and_then(|number| if number == 0 { Err(()) } else { Ok(number) });
        if let Some(nth) = text.strip_prefix("nth:") {
            return positive(nth).map(Self::Nth);
        }
        let rest = text.strip_prefix("1/").ok_or(())?;
        let (many, seed) = match rest.split_once(",seed=") {
            Some((many, seed)) => (many, number(seed)?),
            None => (rest, 0),
        };
        Ok(Self::OneIn { many: positive(many)?, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::Injection;

    #[test]
    fn one_form_names_an_allocation_and_the_other_a_share() {
        assert_eq!("nth:7".parse(), Ok(Injection::Nth(7)));
        assert_eq!("1/1000".parse(), Ok(Injection::OneIn { many: 1000, seed: 0 }));
        assert_eq!("1/1000,seed=7".parse(), Ok(Injection::OneIn { many: 1000, seed: 7 }));
        for bad in ["", "7", "nth:", "nth:0", "1/0", "1/", "2/3", "1/5,seed=", "1/5,speed=1"] {
            assert_eq!(bad.parse::<Injection>(), Err(()), "{bad:?}");
        }
    }

    #[test]
    fn the_nth_fails_once() {
        let failures = (1..100).filter(|&number| Injection::Nth(7).fails(number));
        assert!(failures.eq([7]));
    }

    #[test]
    fn a_share_fails_as_often_as_it_says_and_the_seed_chooses_which() {
        let chosen = |seed| (1..100_000).filter(move |&n| Injection::OneIn { many: 100, seed }.fails(n));
        assert!((800..1200).contains(&chosen(1).count()));
        assert!(!chosen(1).eq(chosen(2)));
        assert!(Injection::OneIn { many: 1, seed: 3 }.fails(12));
    }
}
