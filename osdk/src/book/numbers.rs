//! The figures that the book may state: the record of a whole `make bench`, and what was measured on other kernels.
//!
//! Owns: the form of the records, and how a figure is written.   Not here: measuring (`bench`).

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::{grouped, target};

/// The kernels of a whole run, by the names that `bench` gives them.
const WHOLE: [&str; 4] = ["Linux 6.1", "hybrid", "stateful", "stateless"];

/// Figures of rows on several kernels, with where they come from.
pub(super) struct Record {
    date: String,
    machine: String,
    figures: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    row: String,
    n: u64,
    kernel: String,
    value: f64,
    /// Whether it is a number of instructions, and not of requests or bytes.
    is_count: bool,
}

impl Record {
    /// Parses a record. Wall times are left out, because they have the rows' names, too.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("no JSON")?;
        let words = |key: &str| json[key].as_str().map(str::to_owned).with_context(|| format!("no {key}"));
        let all = json["results"].as_array().context("no results")?;
        let counted = all.iter().filter(|one| one["unit"] != "nanoseconds");
        let figures = counted.map(|one| {
            let word = |key: &str| one[key].as_str().map(str::to_owned);
            let n = one["n"].as_u64();
            Some(Figure {
                row: word("row")?,
                n: n?,
                kernel: word("kernel")?,
                value: one["median"].as_f64()?,
                is_count: one["unit"] == "instructions",
            })
        });
        let figures: Option<Vec<Figure>> = figures.collect();
        Ok(Self {
            date: words("date")?,
            machine: words("machine")?,
            figures: figures.context("a bad result")?,
        })
    }

    /// Returns whether a row has this size.
    pub(super) fn is_size(&self, n: u64) -> bool {
        self.figures.iter().any(|figure| figure.n == n)
    }

    /// Expands a directive. `words` are its name and its arguments: `ROW [N] KERNEL`, or `ROW [N] KERNEL KERNEL` where it
    /// compares.
    pub(super) fn expand(&self, words: &[&str]) -> Result<String> {
        let (name, arguments) = words.split_first().context("an empty directive")?;
        match (*name, arguments) {
            ("date", []) => return Ok(self.date.clone()),
            ("machine", []) => return Ok(self.machine.clone()),
            ("table", kernels) => return self.table(kernels),
            _ => {}
        }
        let (row, rest) = arguments.split_first().context("no row")?;
        let (n, kernels) = match rest.split_first() {
            Some((n, kernels)) if n.bytes().all(|byte| byte.is_ascii_digit()) => (n.parse()?, kernels),
            _ => (0, rest),
        };
        if let ("target", []) = (*name, kernels) {
            return target(row, n).map(|target| target.to_string()).context("no target");
        }
        let of = |kernel: &&str| self.figure(row, n, kernel);
        match (*name, kernels) {
            ("count", [kernel]) => Ok(unbroken(of(kernel)?)),
            ("ratio", [one, other]) => Ok(ratio(of(one)? / of(other)?)),
            ("difference", [one, other]) => Ok(unbroken(of(one)? - of(other)?)),
            ("percent", [one, other]) => Ok(format!("{:.0} %", (of(one)? / of(other)? - 1.0).abs() * 100.0)),
            _ => bail!("an unknown directive"),
        }
    }

    fn figure(&self, row: &str, n: u64, kernel: &str) -> Result<f64> {
        let kernel = if kernel == "linux" { "Linux 6.1" } else { kernel };
        let is_meant = |figure: &&Figure| figure.row == row && figure.n == n && figure.kernel == kernel;
        let figure = self.figures.iter().find(is_meant);
        figure.map(|figure| figure.value).with_context(|| format!("no figure of {row} {n} on {kernel}"))
    }

    /// Renders all rows for these kernels, the last column being the third kernel's part of the first one's if there are
    /// so many, else the second's.
    fn table(&self, kernels: &[&str]) -> Result<String> {
        let (Some(base), Some(ours)) = (kernels.first(), kernels.get(1)) else { bail!("a table of nothing") };
        let mut text = format!("| row | n | {} | {ours} ÷ {base} |\n", kernels.join(" | "));
        text.push_str(&format!("|---|--:|{}\n", "--:|".repeat(kernels.len() + 1)));
        for (row, n) in self.rows() {
            let cells: Vec<String> = kernels
                .iter()
                .map(|kernel| self.figure(&row, n, kernel).map_or("–".to_owned(), grouped))
                .collect();
            let part = match (self.figure(&row, n, ours), self.figure(&row, n, base)) {
                (Ok(ours), Ok(base)) => format!("{:.2}", ours / base),
                _ => String::new(),
            };
            let size = if n == 0 { String::new() } else { grouped(n as f64) };
            text.push_str(&format!(
                "| {} | {size} | {} | {part} |\n",
                row.replace('_', " "),
                cells.join(" | ")
            ));
        }
        Ok(text)
    }

    /// Returns the rows, those of one name together.
    fn rows(&self) -> Vec<(String, u64)> {
        let mut rows: Vec<(String, u64)> = Vec::new();
        for figure in self.figures.iter().filter(|figure| figure.is_count) {
            let row = (figure.row.clone(), figure.n);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        let first = |name: &str| rows.iter().position(|row| row.0 == name);
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| (first(&row.0), row.1));
        sorted
    }
}

/// Lists the rows of a document's table that differ from the record. The table follows the line `<!-- numbers -->`; its
/// rows begin with name and size, then come Linux, the three policies, and hybrid's part of Linux.
pub(super) fn wrong_rows(path: &str, text: &str, record: &Record) -> Vec<String> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| *line != "<!-- numbers -->").skip(1);
    let table =
        lines.skip_while(|(_, line)| line.is_empty()).take_while(|(_, line)| line.starts_with('|')).skip(2);
    let mut complaints = Vec::new();
    for (nr, line) in table {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(name), Some(size)) = (cells.first(), cells.get(1)) else { continue };
        let row = name.replace(' ', "_");
        let n = size.replace(' ', "").parse().unwrap_or(0);
        let figures: Result<Vec<f64>> = WHOLE.iter().map(|kernel| record.figure(&row, n, kernel)).collect();
        match figures {
            Ok(figures) => {
                let mut right: Vec<String> = figures.iter().copied().map(grouped).collect();
                right.push(format!("{:.2}", figures[1] / figures[0]));
                if cells.get(2..) != Some(&right.iter().map(String::as_str).collect::<Vec<_>>()[..]) {
                    complaints.push(format!("{path}:{}: the record says {}", nr + 1, right.join(" | ")));
                }
            }
            Err(error) => complaints.push(format!("{path}:{}: {error}", nr + 1)),
        }
    }
    complaints
}

/// Copies the results of a whole run to the record.
pub(super) fn record(results: &Path, to: &Path) -> Result<()> {
    let text = fs::read_to_string(results).context("there are no results; run `make bench` first")?;
    let mut json: Value = serde_json::from_str(&text)?;
    let date = Command::new("date").args(["-I", "-r"]).arg(results).output().context("cannot run date")?;
    json["date"] = json!(String::from_utf8_lossy(&date.stdout).trim());
    if json["failed"].as_array().is_none_or(|failed| !failed.is_empty()) {
        bail!("some rows failed");
    }
    let all = json["results"].as_array().context("no results")?;
    if let Some(kernel) = WHOLE.iter().find(|kernel| !all.iter().any(|one| one["kernel"] == **kernel)) {
        bail!("no results of {kernel}; run `make bench` without options");
    }
    // A result in each line, so that two records can be compared.
    let lines: Vec<String> = all.iter().map(Value::to_string).collect();
    let head = format!("{{\n\"date\": {},\n\"machine\": {},\n", json["date"], json["machine"]);
    fs::write(to, format!("{head}\"results\": [\n{}\n]\n}}\n", lines.join(",\n")))?;
    Record::parse(&fs::read_to_string(to)?).map(|_| ())
}

fn ratio(ratio: f64) -> String {
    if ratio < 2.0 { format!("{ratio:.2}") } else { format!("{ratio:.1}") }
}

/// Formats a number of a sentence, which no line break may divide.
fn unbroken(number: f64) -> String {
    grouped(number).replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::{Record, wrong_rows};

    fn record() -> Record {
        let figure = |kernel: &str, median: u32| {
            format!(r#"{{"row":"a_b","n":10,"kernel":"{kernel}","unit":"instructions","median":{median}}}"#)
        };
        let figures = [("Linux 6.1", 4000), ("hybrid", 1000), ("stateful", 1100), ("stateless", 3000)];
        let figures = figures.map(|(kernel, median)| figure(kernel, median)).join(",");
        Record::parse(&format!(r#"{{"date":"2026-11-29","machine":"m","results":[{figures}]}}"#))
            .expect("a record")
    }

    #[test]
    fn directives_state_what_the_record_says() {
        for (words, text) in [
            ("count a_b 10 stateful", "1\u{a0}100"),
            ("ratio a_b 10 stateless hybrid", "3.0"),
            ("ratio a_b 10 hybrid linux", "0.25"),
            ("percent a_b 10 stateful hybrid", "10 %"),
            ("difference a_b 10 stateful hybrid", "100"),
            ("date", "2026-11-29"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(record().expand(&words).expect("a figure"), text);
        }
        assert!(record().expand(&["count", "a_b", "hybrid"]).is_err(), "another size");
        assert!(record().expand(&["guess", "a_b", "10", "hybrid"]).is_err());
    }

    #[test]
    fn a_table_in_a_document_must_agree_with_the_record() {
        let table = |hybrid: &str| {
            let row = format!("| a b | 10 | 4 000 | {hybrid} | 1 100 | 3 000 | 0.25 |");
            format!("<!-- numbers -->\n\n| row | n |\n|---|--:|\n{row}\n\nmore")
        };
        assert_eq!(wrong_rows("R", &table("1 000"), &record()), Vec::<String>::new());
        assert_eq!(wrong_rows("R", &table("999"), &record()).len(), 1);
    }
}
