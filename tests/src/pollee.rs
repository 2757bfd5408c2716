//! Reads the counters of `/proc/pollee`, which Linux lacks.

use std::collections::BTreeMap;
use std::fs;

/// The counters by class of file and then by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, BTreeMap<String, u64>>);

impl Counters {
    /// Reads the counters; `None` on a kernel without them.
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/pollee").ok()?)
    }

    /// Parses a table: a line with the names of the columns, then a line per class.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let header = lines.next()?;
        let columns = header.get(1..)?;
        let mut classes = BTreeMap::new();
        for line in lines {
            let (class, values) = line.split_first()?;
            let values = columns.iter().zip(values);
            let row = values.map(|(name, value)| Some(((*name).to_owned(), value.parse().ok()?)));
            classes.insert((*class).to_owned(), row.collect::<Option<_>>()?);
        }
        Some(Self(classes))
    }

    /// Returns one counter; zero if there is none of that name.
    pub fn get(&self, class: &str, column: &str) -> u64 {
        self.0.get(class).and_then(|row| row.get(column)).copied().unwrap_or(0)
    }
}

/// The columns, and the events that each of them counts.
const REASONS: [(&str, &str); 7] = [
    ("hits", "answered from the cache"),
    ("misses", "not in the cache"),
    ("computes", "asked under the lock"),
    ("notify_unwatched", "changes that nobody watched"),
    ("notify_watched", "changes that were watched for"),
    ("wakes", "watchers told"),
    ("spurious_wakes", "woken for nothing"),
];

/// Describes which counters of `class` moved between two readings, and why; empty if none did.
pub fn moves(class: &str, before: &Counters, after: &Counters) -> Option<(String, String)> {
    let moved = REASONS.iter().filter_map(|&(column, reason)| {
        let (old, new) = (before.get(class, column), after.get(class, column));
        let count = new.checked_sub(old).filter(|count| *count > 0)?;
        Some((format!("{column} {old}>{new}"), format!("{count} {reason}")))
    });
    let (values, reasons): (Vec<_>, Vec<_>) = moved.unzip();
    (!values.is_empty()).then(|| (values.join(", "), reasons.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "class hits misses computes\npipe 1 2 2\nepoll 0 0 0\n";
    const AFTER: &str = "class hits misses computes\npipe 1 3 4\nepoll 0 0 0\n";

    #[test]
    fn a_table_has_a_row_per_class() {
        let counters = Counters::parse(BEFORE).unwrap();
        assert_eq!(counters.get("pipe", "misses"), 2);
        assert_eq!(counters.get("pipe", "wakes"), 0);
        assert_eq!(Counters::parse("class hits\npipe many\n"), None);
    }

    #[test]
    fn only_what_moved_is_told() {
        let [before, after] = [BEFORE, AFTER].map(|text| Counters::parse(text).unwrap());
        let (values, reasons) = moves("pipe", &before, &after).unwrap();
        assert_eq!(values, "misses 2>3, computes 2>4");
        assert_eq!(reasons, "1 not in the cache, 2 asked under the lock");
        assert_eq!(moves("epoll", &before, &after), None);
    }
}
