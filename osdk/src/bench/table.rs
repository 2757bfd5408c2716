//! Renders the results as a Markdown table, with the targets of the rows that have one.

use super::results::{Clock, Results, Row, Subject};
use crate::cli::Policy;

/// The targets: the cost that hybrid may have, as a fraction of Linux's.
const TARGETS: [(&str, u64, f64); 21] = [
    ("null_syscall", 0, 0.7),
    ("clock_by_libc", 0, 1.0),
    ("select_tcp_all_ready", 450, 0.2),
    ("select_tcp_none_ready", 450, 0.2),
    ("poll_tcp_none_ready", 450, 0.2),
    ("poll_tcp_one_active", 450, 0.25),
    ("select_file_all_ready", 400, 0.4),
    ("poll_blocks_on_pipes", 400, 0.4),
    ("epoll_one_ready", 10_000, 0.7),
    ("epoll_none_ready", 10_000, 0.8),
    ("epoll_ctl_del_add", 10_000, 0.7),
    ("eventfd_write_read", 0, 0.6),
    ("eventfd_ping_pong", 0, 0.6),
    ("pipe_ping_pong", 0, 0.5),
    ("pipe_bandwidth_KiB", 0, 0.8),
    ("tcp_connect_accept_close", 0, 0.6),
    ("tcp_round_trip", 0, 0.5),
    ("tcp_bandwidth_KiB", 0, 0.8),
    ("tcp_round_trip_beside_idle", 10_000, 0.5),
    ("tcp_round_trip_beside_idle", 1_000, 0.5),
    ("fork_exit_wait", 0, 1.0),
];

const HYBRID: Subject = Subject::Pollux(Policy::Hybrid);

/// Renders all rows: instructions on each kernel, hybrid's fraction of Linux's, the target, and the fraction of wall
/// time. The rows that have wall times only come below.
pub(crate) fn markdown(results: &Results, subjects: &[Subject]) -> String {
    let mut text = String::from("| row | n |");
    subjects.iter().for_each(|subject| text.push_str(&format!(" {subject} |")));
    text.push_str(" hybrid ÷ Linux | target | wall time ÷ Linux's |\n|---|--:|");
    text.push_str(&"--:|".repeat(subjects.len() + 3));
    text.push('\n');
    let is_counted = |row: &&Row| {
        subjects.iter().any(|subject| results.figure(row, *subject, Clock::Instructions).is_some())
    };
    for row in results.rows().filter(is_counted) {
        let n = if row.1 == 0 { String::new() } else { row.1.to_string() };
        text.push_str(&format!("| {} | {n} |", row.0.replace('_', " ")));
        for &subject in subjects {
            let figure = results.figure(row, subject, Clock::Instructions);
            text.push_str(&format!(" {} |", figure.map_or("–".into(), |figure| grouped(figure.median))));
        }
        let ratio = ratio(results, row, Clock::Instructions);
        let wall = self::ratio(results, row, Clock::Wall);
        let target = target(&row.0, row.1);
        let met = match (ratio, target) {
            (Some(ratio), Some(target)) if ratio <= target => " ✓",
            (Some(_), Some(_)) => " ✗",
            _ => "",
        };
        let number = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.2}"));
        let target = target.map_or(String::new(), |target| format!("≤ {target}{met}"));
        text.push_str(&format!(" {} | {target} | {} |\n", number(ratio), number(wall)));
    }
    let mut timed = results.rows().filter(|row| !is_counted(row)).peekable();
    if timed.peek().is_some() {
        text.push_str(&head_of_times(subjects));
    }
    timed.for_each(|row| text.push_str(&times(results, subjects, row)));
    text
}

fn head_of_times(subjects: &[Subject]) -> String {
    let names: String = subjects.iter().map(|subject| format!(" {subject} |")).collect();
    let lines = "--:|".repeat(subjects.len() + 1);
    format!(
        "\nMicroseconds of wall time (least to most):\n\n| row | n |{names} hybrid ÷ Linux |\n|---|--:|{lines}\n"
    )
}

/// Renders a row without counts: its time, and the extremes.
fn times(results: &Results, subjects: &[Subject], row: &Row) -> String {
    let time = |subject: &Subject| {
        results.figure(row, *subject, Clock::Wall).map_or(" – |".to_owned(), |figure| {
            let [median, least, most] = [figure.median, figure.least, figure.most].map(|nanos| nanos / 1e3);
            format!(" {median:.0} ({least:.0}–{most:.0}) |")
        })
    };
    let times: String = subjects.iter().map(time).collect();
    let n = if row.1 == 0 { String::new() } else { row.1.to_string() };
    let ratio = ratio(results, row, Clock::Wall).map_or(String::new(), |ratio| format!("{ratio:.2}"));
    format!("| {} | {n} |{times} {ratio} |\n", row.0.replace('_', " "))
}

/// Returns the target of a row with this name and number of files.
pub(crate) fn target(row: &str, n: u64) -> Option<f64> {
    TARGETS.iter().find(|(name, size, _)| (*name, *size) == (row, n)).map(|(_, _, target)| *target)
}

/// Returns hybrid's cost as a fraction of Linux's.
fn ratio(results: &Results, row: &Row, clock: Clock) -> Option<f64> {
    let cost = |subject| results.figure(row, subject, clock).map(|figure| figure.median);
    Some(cost(HYBRID)? / cost(Subject::Linux)?)
}

/// Formats a number with spaces between the thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::results::Figure;
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!([1.0, 999.4, 1000.0, 1_234_567.8].map(grouped), ["1", "999", "1 000", "1 234 568"]);
    }

    #[test]
    fn a_row_shows_its_part_of_linux_and_whether_the_target_is_met() {
        let mut results = Results::default();
        results.line(Subject::Linux, Clock::Instructions, "null_syscall 0 1000 1 1");
        results.line(HYBRID, Clock::Instructions, "null_syscall 0 710 1 1");
        let text = markdown(&results, &[Subject::Linux, HYBRID]);
        assert!(text.contains("| null syscall |  | 1 000 | 710 | 0.71 | ≤ 0.7 ✗ |  |"), "{text}");
    }

    #[test]
    fn what_cannot_be_counted_is_timed() {
        let mut results = Results::default();
        for (subject, nanos) in [(Subject::Linux, 800_000.0), (HYBRID, 400_000.0), (HYBRID, 600_000.0)] {
            let figure = Figure { median: nanos, least: nanos, most: nanos };
            results.add(("http_request".to_owned(), 4), subject, Clock::Wall, figure);
        }
        let text = markdown(&results, &[Subject::Linux, HYBRID]);
        let row = "| http request | 4 | 800 (800–800) | 600 (400–600) | 0.75 |";
        assert!(text.ends_with(&format!("\n{row}\n")) && !text.contains("| – |"), "{text}");
    }
}
