//! Runs Debian's unmodified redis-benchmark on the host.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{debian, libraries};

/// The requests that it measures.
const KINDS: &str = "ping_mbulk,set,get,lpush,lrange_100";

/// Measures the server behind this port of the host, and returns the requests per second of each kind.
pub(super) fn run(root: &Path, port: u16, requests: u32) -> Result<Vec<(String, f64)>> {
    let (port, requests) = (port.to_string(), requests.to_string());
    let words = ["--csv", "-p", &port, "-n", &requests, "-c", "50", "-t", KINDS];
    let mut command = Command::new(root.join("usr/bin/redis-benchmark"));
    let libraries = env::join_paths(libraries::DIRECTORIES.map(|directory| root.join(directory)))?;
    parse(&debian::run(command.args(words).env("LD_LIBRARY_PATH", libraries))?)
}

/// Parses the first two columns of lines like `"SET","2159.83","9.1",…`, under a line with their names.
pub(super) fn parse(text: &str) -> Result<Vec<(String, f64)>> {
    let mut figures = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('"') && !line.starts_with("\"test\"")) {
        let mut columns = line.split(',').map(|column| column.trim_matches('"'));
        let (name, rate) = columns.next().zip(columns.next()).with_context(|| line.to_owned())?;
        // What fills a list is not asked for by itself; a name may explain itself in parentheses.
        if !name.contains("needed to") {
            let name = name.split(" (").next().unwrap_or(name);
            figures.push((name.to_owned(), rate.parse().with_context(|| line.to_owned())?));
        }
    }
    ensure!(figures.len() == KINDS.split(',').count(), "redis-benchmark says: {text}");
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\"test\",\"rps\",\"avg_latency_ms\"\n\"PING_MBULK\",\"1.5\",\"9\"\n\"SET\",\"2\",\"9\"\n\
                        \"GET\",\"3\",\"9\"\n\"LPUSH\",\"4\",\"9\"\n\"LPUSH (needed to benchmark LRANGE)\",\"5\",\"9\"\n\
                        \"LRANGE_100 (first 100 elements)\",\"6\",\"9\"\n";

    #[test]
    fn each_kind_has_its_figure() {
        let figures = parse(TEXT).unwrap_or_default();
        let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PING_MBULK", "SET", "GET", "LPUSH", "LRANGE_100"]);
        assert_eq!((figures[0].1, figures[4].1), (1.5, 6.0));
    }

    #[test]
    fn a_run_that_ended_early_is_an_error() {
        assert!(parse("\"SET\",\"2\",\"9\"\n").is_err());
        assert!(parse("Could not connect\n").is_err());
    }
}
