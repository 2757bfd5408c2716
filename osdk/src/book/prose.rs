//! Numbers in prose: each must come from a directive, or be a number that nobody measures.
//!
//! Allowed are small counts without a unit, numbers that belong to a name (Linux 6.1, decision 0062), dates, and the
//! sizes of the rows that the record has (450 sockets).

/// The largest count that may stand in a sentence.
const SMALL: u64 = 12;

/// What a number after it belongs to.
const NAMES: [&str; 24] = [
    "Asterinas",
    "Debian",
    "OSTD",
    "QEMU",
    "Linux",
    "Rust",
    "RFC",
    "POSIX",
    "x86",
    "decision",
    "decisions",
    "chapter",
    "issue",
    "step",
    "steps",
    "Steps",
    "case",
    "line",
    "bit",
    "bits",
    "question",
    "port",
    "exercise",
    "request",
];

/// Units: a number in front of one was measured.
const UNITS: [&str; 19] = [
    "instructions",
    "instruction",
    "%",
    "per",
    "ns",
    "µs",
    "ms",
    "s",
    "seconds",
    "times",
    "KiB",
    "MiB",
    "GiB",
    "bytes",
    "requests",
    "cycles",
    "nanoseconds",
    "microseconds",
    "obligations",
];

/// Lists the numbers in a line of prose, without code and directives, that nothing bears.
pub(super) fn unborne(line: &str, is_size: impl Fn(u64) -> bool) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let start = at;
        at += 1;
        let Some(number) = number(words[start]) else { continue };
        let mut text = number.clone();
        // A space separates thousands.
        while at < words.len() && is_thousands(words[at]) && !words[at - 1].ends_with([',', '.', ';', ')']) {
            text.push_str(digits(words[at]));
            at += 1;
        }
        let before = start.checked_sub(1).map_or("", |before| words[before]);
        let before = before.trim_matches(|c: char| !c.is_alphanumeric());
        let after =
            words.get(at).map_or("", |after| after.trim_matches(|c: char| !c.is_alphanumeric() && c != '%'));
        let has_unit =
            UNITS.contains(&after) || words[at - 1].contains(['%', '×']) || before == "÷" || after == "÷";
        let value: Option<u64> = text.parse().ok();
        let is_count = value.is_some_and(|value| value <= SMALL || is_size(value));
        // "steps 13, 17 and 21"; the number of a row of a table.
        let is_listed = before.ends_with(is_digit) && words[start - 1].ends_with(',');
        let is_next =
            ["and", "to", "or"].contains(&before) && start > 1 && words[start - 2].ends_with(is_digit);
        let is_row = start == 1 && words[0] == "|" && words.get(at) == Some(&"|");
        let is_known = is_count || is_listed || is_next || is_row || NAMES.contains(&before);
        if !is_date(&text) && !is_decision(&text) && (has_unit || !is_known) {
            found.push(text);
        }
    }
    found
}

/// Returns a word's number, without punctuation around it; `None` if it has none, or is a name with digits.
fn number(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_number = word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || ".,-–%×".contains(c));
    is_number.then(|| word.trim_end_matches(['%', '×']).to_owned())
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Whether this is the number of a decision record.
fn is_decision(text: &str) -> bool {
    text.len() == 4 && text.starts_with('0') && text.chars().all(is_digit)
}

fn digits(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_digit())
}

/// Whether a word continues a number: three digits.
fn is_thousands(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is YYYY, YYYY-MM or YYYY-MM-DD.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    (text.starts_with("20") || text.starts_with("19")) && matches!(lengths[..], [4] | [4, 2] | [4, 2, 2])
}

#[cfg(test)]
mod tests {
    use super::unborne;

    #[test]
    fn numbers_that_nobody_measures_may_stand_in_prose() {
        for line in [
            "Linux 6.1, decision 0062, RFC 9293, since 2026-11-29, in 2024.",
            "There are three cases and 8 steps; select over 450 sockets, of 10 000.",
            "The x86_64 word has fifteen events.",
            "Between steps 13, 17 and 21, as in step 17.",
            "| 22 | back in step 7 |",
        ] {
            assert_eq!(unborne(line, |n| n == 450 || n == 10_000), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn numbers_that_look_measured_are_found() {
        for (line, number) in [
            ("It costs 213 instructions.", "213"),
            ("That is 4.7 times as much.", "4.7"),
            ("It loses 3 % of them.", "3"),
            ("It loses 3% of them.", "3"),
            ("A poll takes 16 083, and no more.", "16083"),
            ("over 450 instructions", "450"),
            ("noise of 10 to 100 %", "100"),
        ] {
            assert_eq!(unborne(line, |n| n == 450), [number], "{line}");
        }
    }
}
