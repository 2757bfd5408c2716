//! Checks the kernel's command line against the table of options.
//!
//! Words are separated by blanks; what follows `--` is not the kernel's. The last word of an option counts.
//! A new option is one row in [`OPTIONS`], which every word is checked against.
//! Source: kernel/README.md, "Command line"; bootparam(7) for the form.

use core::fmt;

use crate::machine::injection::Injection;
use crate::net::impairment::ImpairmentRules;
use crate::net::network::Network;

/// An option, written `name=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What stands before the equals sign.
    pub name: &'static str,
    /// What may stand behind it.
    pub values: Values,
}

/// The values of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An absolute path.
    Path,
    /// A decimal number.
    Number,
    /// `off`, or addresses as [`Network`] reads them.
    Network,
    /// What packets suffer, as [`ImpairmentRules`] reads it.
    Impairment,
    /// Which allocations fail, as [`Injection`] reads it.
    Injection,
}

/// All options.
pub const OPTIONS: &[Known] = &[
    Known { name: "fail_alloc", values: Values::Injection },
    Known { name: "impair", values: Values::Impairment },
    Known { name: "init", values: Values::Path },
    Known { name: "ip", values: Values::Network },
    Known { name: "screen.width", values: Values::Number },
    Known { name: "trace", values: Values::OneOf(&["off", "events", "syscalls"]) },
    Known { name: "tsc", values: Values::OneOf(&["unstable"]) },
    Known {
        name: "ostd.log_level",
        values: Values::OneOf(&[
            "off", "emerg", "alert", "crit", "error", "warn", "warning", "notice", "info", "debug",
        ]),
    },
];

/// What is wrong with a word; the kernel goes on as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint<'a> {
    /// No option is called so.
    Unknown(&'a str),
    /// The option has no such value.
    BadValue {
        /// The option.
        option: Known,
        /// What stands behind the equals sign.
        value: &'a str,
    },
}

/// Returns the value of an option: the last good one.
pub fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let values = words(line).filter_map(|word| match check(word) {
        Ok((option, value)) if option.name == name => Some(value),
        _ => None,
    });
    values.last()
}

/// What is wrong with the line, in its order.
pub fn complaints(line: &str) -> impl Iterator<Item = Complaint<'_>> {
    words(line).filter_map(|word| check(word).err())
}

/// Returns the words that are meant for the kernel. Multiboot loaders put the kernel's own path first.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split_ascii_whitespace().enumerate();
    let own = words.filter(|(index, word)| *index > 0 || word.contains('=') || !word.contains('/'));
    own.map(|(_, word)| word).take_while(|&word| word != "--")
}

fn check(word: &str) -> Result<(Known, &str), Complaint<'_>> {
    let (name, value) = word.split_once('=').ok_or(Complaint::Unknown(word))?;
    let option = *OPTIONS.iter().find(|option| option.name == name).ok_or(Complaint::Unknown(word))?;
    let good = match option.values {
        Values::OneOf(words) => words.contains(&value),
        Values::Path => value.starts_with('/'),
        Values::Number => value.parse::<u32>().is_ok(),
        Values::Network => value == "off" || value.parse::<Network>().is_ok(),
        Values::Impairment => value.parse::<ImpairmentRules>().is_ok(),
        Values::Injection => value.parse::<Injection>().is_ok(),
    };
    if good { Ok((option, value)) } else { Err(Complaint::BadValue { option, value }) }
}

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(f, "unknown option {word:?}"),
            Self::BadValue { option, value } => {
                write!(f, "{}={value} means nothing; ", option.name)?;
                match option.values {
                    Values::OneOf(words) => {
                        for (index, word) in words.iter().enumerate() {
                            write!(f, "{}{word}", if index == 0 { "" } else { ", " })?;
                        }
                        f.write_str(" do")
                    }
                    Values::Path => f.write_str("an absolute path does"),
                    Values::Number => f.write_str("a number does"),
                    Values::Network => f.write_str("ADDRESS::GATEWAY:MASK does, or off"),
                    Values::Injection => f.write_str("nth:7 does, or 1/1000,seed=7"),
                    Values::Impairment => f.write_str("loss:5%,delay:20,seed:1 and the like do"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;

    fn said(line: &str) -> Vec<String> {
        complaints(line).map(|complaint| complaint.to_string()).collect()
    }

    #[test]
    fn the_last_good_value_counts() {
        let line = "target/kernel init=/a trace=off init=/b trace=loud init=c";
        assert_eq!(value(line, "init"), Some("/b"));
        assert_eq!(value(line, "trace"), Some("off"));
        assert_eq!(value("", "init"), None);
    }

    #[test]
    fn a_good_line_gives_no_cause_to_complain() {
        assert!(said("").is_empty());
        assert!(said("/x/kernel init=/init  trace=syscalls ostd.log_level=debug -- anything").is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(said("quiet"), ["unknown option \"quiet\""]);
        assert_eq!(said("init=/x init.=/y"), ["unknown option \"init.=/y\""]);
        assert_eq!(said("init=sh"), ["init=sh means nothing; an absolute path does"]);
        assert_eq!(
            said("screen.width=1366 screen.width=-1"),
            ["screen.width=-1 means nothing; a number does"]
        );
        assert_eq!(said("ip=off ip=10.0.2.15"), [""; 0]);
        assert_eq!(said("ip=10.0.2"), ["ip=10.0.2 means nothing; ADDRESS::GATEWAY:MASK does, or off"]);
        assert_eq!(said("impair=loss:5%,seed:1 fail_alloc=1/1000,seed=7"), [""; 0]);
        assert_eq!(said("fail_alloc=0"), ["fail_alloc=0 means nothing; nth:7 does, or 1/1000,seed=7"]);
        assert_eq!(said("impair=5%"), ["impair=5% means nothing; loss:5%,delay:20,seed:1 and the like do"]);
        assert_eq!(
            said("trace= trace"),
            ["trace= means nothing; off, events, syscalls do", "unknown option \"trace\""]
        );
    }

    #[test]
    fn only_the_first_word_may_be_the_kernels_path() {
        assert_eq!(said("/a/kernel /b"), ["unknown option \"/b\""]);
    }
}
