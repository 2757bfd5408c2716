//! Holds the measurements: for each row, kernel and clock, the figures of all runs.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use crate::cli::Policy;

/// A kernel in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The Linux twin.
    Linux,
    /// Pollux with this policy.
    Pollux(Policy),
}

impl Subject {
    /// All of them, in the order of tables.
    pub(crate) const ALL: [Self; 4] = [
        Self::Linux,
        Self::Pollux(Policy::Hybrid),
        Self::Pollux(Policy::Stateful),
        Self::Pollux(Policy::Stateless),
    ];
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "Linux 6.1",
            Self::Pollux(Policy::Hybrid) => "hybrid",
            Self::Pollux(Policy::Stateful) => "stateful",
            Self::Pollux(Policy::Stateless) => "stateless",
        })
    }
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clock {
    /// Executed instructions, in user mode and in the kernel.
    Instructions,
    /// Nanoseconds.
    Wall,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instructions => "instructions",
            Self::Wall => "nanoseconds",
        })
    }
}

/// A row: its name, and its number of files (0 if it has none).
pub(crate) type Row = (String, u64);

/// The figure of one run for a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// All rows, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(crate) struct Results {
    rows: Vec<Row>,
    figures: BTreeMap<(usize, Subject, Clock), Vec<Figure>>,
    failed: Vec<String>,
    /// Ticks per second in the run that is being read.
    frequency: f64,
}

impl Results {
    /// Parses a line of the guest program.
    pub(crate) fn line(&mut self, subject: Subject, clock: Clock, line: &str) {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let &[name, n, rest] = &words[..] else { return };
        let Ok(n) = n.parse::<u64>() else { return };
        let numbers: Vec<f64> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
        let &[median, least, most] = &numbers[..] else {
            self.failed.push(format!("{subject}: {name} {n}: {rest}"));
            return;
        };
        if name == "frequency" {
            self.frequency = median;
            return;
        }
        let unit = match clock {
            Clock::Instructions => 1.0,
            Clock::Wall => 1e9 / self.frequency,
        };
        let figure = Figure { median: median * unit, least: least * unit, most: most * unit };
        self.add((name.to_owned(), n), subject, clock, figure);
    }

    /// Adds the figure of one run.
    pub(crate) fn add(&mut self, row: Row, subject: Subject, clock: Clock, figure: Figure) {
        let index = self.index(row);
        self.figures.entry((index, subject, clock)).or_default().push(figure);
    }

    /// Notes that a whole group failed.
    pub(crate) fn fail(&mut self, subject: Subject, clock: Clock, group: &str) {
        self.failed.push(format!("{subject}: {group}, {clock}"));
    }

    /// Returns the failures.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &str> {
        self.failed.iter().map(String::as_str)
    }

    /// Adds another run.
    pub(crate) fn merge(&mut self, other: Self) {
        for ((index, subject, clock), figures) in other.figures {
            let index = self.index(other.rows[index].clone());
            self.figures.entry((index, subject, clock)).or_default().extend(figures);
        }
        self.failed.extend(other.failed);
    }

    /// Keeps the figures of the rows with these names, and marks all names as measured on two CPUs.
    pub(crate) fn on_two_cpus(mut self, names: &[&str]) -> Self {
        let is_meant = |row: &Row| names.contains(&row.0.as_str());
        let meant: Vec<bool> = self.rows.iter().map(is_meant).collect();
        self.figures.retain(|(index, ..), _| meant[*index]);
        self.rows.iter_mut().for_each(|row| row.0.push_str("_on_2_CPUs"));
        self
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the rows, grouped by name.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        let mut rows: Vec<(usize, &Row)> = self
            .rows
            .iter()
            .map(|row| (self.rows.iter().position(|other| other.0 == row.0).unwrap_or_default(), row))
            .collect();
        rows.sort_by_key(|(first, row)| (*first, row.1));
        rows.into_iter().map(|(_, row)| row)
    }

    /// Returns the figure of the median run, with the extremes of all runs.
    pub(crate) fn figure(&self, row: &Row, subject: Subject, clock: Clock) -> Option<Figure> {
        let index = self.rows.iter().position(|other| other == row)?;
        let figures = self.figures.get(&(index, subject, clock))?;
        let mut medians: Vec<f64> = figures.iter().map(|figure| figure.median).collect();
        medians.sort_by(f64::total_cmp);
        Some(Figure {
            median: medians[medians.len() / 2],
            least: figures.iter().map(|figure| figure.least).fold(f64::INFINITY, f64::min),
            most: figures.iter().map(|figure| figure.most).fold(0.0, f64::max),
        })
    }

    /// Renders all figures as JSON, for other programs.
    pub(crate) fn to_json(&self) -> Value {
        let rows = self.figures.keys().filter_map(|&(index, subject, clock)| {
            let row = &self.rows[index];
            let Figure { median, least, most } = self.figure(row, subject, clock)?;
            Some(json!({
                "row": row.0, "n": row.1, "kernel": subject.to_string(), "unit": clock.to_string(),
                "median": median, "least": least, "most": most,
            }))
        });
        json!({ "results": rows.collect::<Vec<_>>(), "failed": self.failed })
    }

    /// Parses what [`to_json`](Self::to_json) has rendered; figures that it does not know are left out.
    pub(crate) fn from_json(json: &Value) -> Self {
        let mut results = Self::default();
        for one in json["results"].as_array().into_iter().flatten() {
            let number = |key: &str| one[key].as_f64();
            let subject = Subject::ALL.into_iter().find(|subject| one["kernel"] == subject.to_string());
            let clock =
                [Clock::Instructions, Clock::Wall].into_iter().find(|clock| one["unit"] == clock.to_string());
            if let (Some(row), Some(n), Some(subject), Some(clock)) =
                (one["row"].as_str(), one["n"].as_u64(), subject, clock)
                && let (Some(median), Some(least), Some(most)) =
                    (number("median"), number("least"), number("most"))
            {
                results.add((row.to_owned(), n), subject, clock, Figure { median, least, most });
            }
        }
        results
    }

    fn index(&mut self, row: Row) -> usize {
        self.rows.iter().position(|other| *other == row).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(clock: Clock, lines: &[&str]) -> Results {
        let mut results = Results::default();
        lines.iter().for_each(|line| results.line(Subject::Linux, clock, line));
        results
    }

    #[test]
    fn rows_of_one_name_stand_together() {
        let results = read(Clock::Instructions, &["a 10 5.0 4.0 6.0", "b 0 1 1 1", "a 2 3 3 3"]);
        let rows: Vec<_> = results.rows().map(|row| (row.0.as_str(), row.1)).collect();
        assert_eq!(rows, [("a", 2), ("a", 10), ("b", 0)]);
    }

    #[test]
    fn runs_are_merged_to_their_median() {
        let mut results = read(Clock::Instructions, &["a 1 5 4 6"]);
        results.merge(read(Clock::Instructions, &["a 1 9 8 10"]));
        results.merge(read(Clock::Instructions, &["a 1 7 6 8"]));
        let figure = results.figure(&("a".into(), 1), Subject::Linux, Clock::Instructions);
        assert_eq!(figure, Some(Figure { median: 7.0, least: 4.0, most: 10.0 }));
    }

    #[test]
    fn rows_of_two_cpus_have_names_of_their_own() {
        let mut results = read(Clock::Wall, &["frequency 0 1e9 1e9 1e9", "a 1 5 4 6"]);
        let two = read(Clock::Wall, &["frequency 0 1e9 1e9 1e9", "a 1 3 2 4", "b 1 1 1 1"]);
        results.merge(two.on_two_cpus(&["a"]));
        let rows: Vec<_> = results.rows().map(|row| row.0.as_str()).collect();
        assert_eq!(rows, ["a", "a_on_2_CPUs"]);
    }

    #[test]
    fn ticks_become_nanoseconds_on_the_wall_clock() {
        let results = read(Clock::Wall, &["frequency 0 2e9 2e9 2e9", "a 1 10 10 10"]);
        let figure = results.figure(&("a".into(), 1), Subject::Linux, Clock::Wall);
        assert_eq!(figure.map(|figure| figure.median), Some(5.0));
    }

    #[test]
    fn what_is_rendered_as_json_is_read_again() {
        let mut results = read(Clock::Instructions, &["a 1 5 4 6", "b 0 2 1 3"]);
        results.merge(read(Clock::Wall, &["frequency 0 1e9 1e9 1e9", "a 1 9 8 10"]));
        assert_eq!(Results::from_json(&results.to_json()).to_json(), results.to_json());
    }

    #[test]
    fn a_failed_row_has_no_figure() {
        let results = read(Clock::Instructions, &["a 1 failed read: 3 instead of 8"]);
        assert_eq!((results.len(), results.failures().count()), (0, 1));
    }
}
