//! The stream behind the page: what the kernel has counted and recorded since the last message.
//!
//! Two kinds of server-sent events, each with the text of a file of `/proc`: `counters` has all of `/proc/pollee`, `trace`
//! has the lines of `/proc/trace` that are new. A kernel without these files sends empty ones.
//!
//! Source: WHATWG HTML, section 9.2.

use std::fs;
use std::time::{Duration, Instant};

/// The time between two messages.
const PERIOD: Duration = Duration::from_millis(250);

/// The most lines of the trace in a message: the newest.
const MOST: usize = 200;

/// The head of the answer. It has no length; the stream ends with the connection.
pub const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n";

/// What was sent, and when the next message is due.
pub struct Feed {
    due: Instant,
    /// The time of the last line of the trace that was sent, in microseconds.
    last: u64,
}

impl Feed {
    /// Begins with what is recorded now.
    pub fn new() -> Self {
        Self { due: Instant::now(), last: 0 }
    }

    /// Returns the milliseconds to the next message.
    pub fn wait(&self) -> i32 {
        let rest = self.due.saturating_duration_since(Instant::now());
        i32::try_from(rest.as_millis()).unwrap_or(i32::MAX).saturating_add(1)
    }

    /// Returns the next message, if it is due.
    pub fn next(&mut self) -> Option<String> {
        if Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + PERIOD;
        let counters = fs::read_to_string("/proc/pollee").unwrap_or_default();
        let trace = fs::read_to_string("/proc/trace").unwrap_or_default();
        Some(message("counters", counters.lines()) + &message("trace", self.news(&trace)))
    }

    /// Returns the lines that are newer than those before.
    fn news<'a>(&mut self, trace: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let time = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
        let last = self.last;
        let lines: Vec<&str> =
            trace.lines().filter(|line| time(line).is_some_and(|at| at > last)).collect();
        self.last = lines.iter().filter_map(|line| time(line)).max().unwrap_or(last);
        let old = lines.len().saturating_sub(MOST);
        lines.into_iter().skip(old)
    }
}

/// Renders an event with these lines.
fn message<'a>(name: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let data: String = lines.map(|line| format!("data: {line}\n")).collect();
    format!("event: {name}\n{}\n", if data.is_empty() { "data:\n".to_owned() } else { data })
}
