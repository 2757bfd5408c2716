//! The costs that a change must not raise: compares a quick deterministic run with a checked-in file.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::results::{Clock, Results, Row, Subject};
use crate::project;

/// The fraction by which a row's cost may rise.
const TOLERANCE: f64 = 0.03;

/// Returns the path of the baseline file, which has one line `name n instructions` per row.
fn path() -> PathBuf {
    project::root().join("osdk/bench-baseline.txt")
}

/// Writes the measured costs as the new baseline.
pub(super) fn record(results: &Results, subject: Subject) -> Result<()> {
    let line = |row: &Row| {
        let figure = results.figure(row, subject, Clock::Instructions)?;
        Some(format!("{} {} {:.0}\n", row.0, row.1, figure.median))
    };
    let text: String = results.rows().filter_map(line).collect();
    fs::write(path(), text).with_context(|| path().display().to_string())
}

/// Returns the rows that cost too much or are missing, each with both figures.
pub(super) fn regressions(results: &Results, subject: Subject) -> Result<Vec<String>> {
    let text = fs::read_to_string(path()).with_context(|| path().display().to_string())?;
    Ok(compare(&text, results, subject))
}

fn compare(baseline: &str, results: &Results, subject: Subject) -> Vec<String> {
    let mut complaints = Vec::new();
    for line in baseline.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let &[name, n, cost] = &words[..] else { continue };
        let (Ok(n), Ok(cost)) = (n.parse(), cost.parse::<f64>()) else { continue };
        let now =
            results.figure(&(name.to_owned(), n), subject, Clock::Instructions).map(|figure| figure.median);
        match now {
            Some(now) if now <= cost * (1.0 + TOLERANCE) => {}
            Some(now) => complaints.push(format!("{name} {n}: {now:.0} instructions, not {cost:.0}")),
            None => complaints.push(format!("{name} {n}: not measured")),
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_per_cent_are_tolerated_and_a_missing_row_is_not() {
        let mut results = Results::default();
        for line in ["a 0 1029 1 1", "b 0 1031 1 1"] {
            results.line(Subject::Linux, Clock::Instructions, line);
        }
        let complaints = compare("a 0 1000\nb 0 1000\nc 7 5\n", &results, Subject::Linux);
        assert_eq!(complaints, ["b 0: 1031 instructions, not 1000", "c 7: not measured"]);
    }
}
