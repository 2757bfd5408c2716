//! Selects the part of a kernel's log to show when the kernel went down.
//!
//! Not here: the log itself (`session`); names for its addresses (`symbols`).

/// The number of lines to show if the kernel did not report its end.
const LINES: usize = 60;

/// The number of lines to show before a panic, and from it on: room for two backtraces.
const BEFORE: usize = 12;
const AFTER: usize = 300;

/// The beginnings of the line that reports a panic, on Pollux and on the twin.
const CAUSES: [&str; 2] = ["pollux: panic on cpu", "Kernel panic - not syncing"];

/// Returns the line that says why the kernel went down, if the kernel got to print it.
pub(crate) fn cause(log: &str) -> Option<&str> {
    log.lines().find_map(cause_in)
}

/// Returns the end of the log: from the cause on, or the last lines if there is no cause.
pub(crate) fn excerpt(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let first = match lines.iter().position(|line| cause_in(line).is_some()) {
        Some(cause) => cause.saturating_sub(BEFORE),
        None => lines.len().saturating_sub(LINES),
    };
    let (shown, left) = lines[first..].split_at((lines.len() - first).min(BEFORE + AFTER));
    let mut text: String = shown.iter().map(|line| format!("{line}\n")).collect();
    if !left.is_empty() {
        text.push_str(&format!("… and {} more lines\n", left.len()));
    }
    text
}

/// Returns the cause, if it is in this line. Text of another CPU or a time stamp may precede it.
fn cause_in(line: &str) -> Option<&str> {
    CAUSES.iter().find_map(|words| Some(&line[line.find(words)?..])).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANIC: &str = "pollux: panic on cpu 1 at a.rs:1: index out of bounds";

    fn frames(count: usize) -> String {
        (0..count).map(|number| format!("frame {number}\n")).collect()
    }

    #[test]
    fn a_panic_is_shown_whatever_follows_it() {
        let log = format!("{}{PANIC}\n{}", frames(1000), frames(150));
        let text = excerpt(&log);
        assert_eq!(text.lines().position(|line| line == PANIC), Some(BEFORE), "{text}");
        assert_eq!(text.lines().last(), Some("frame 149"));
        assert_eq!(cause(&log), Some(PANIC));
    }

    #[test]
    fn what_follows_for_ever_is_left_out() {
        let text = excerpt(&format!("{PANIC}\n{}", frames(100_000)));
        assert!(text.starts_with(PANIC) && text.lines().count() < 400, "{text}");
        assert!(text.ends_with(" more lines\n"), "{text}");
    }

    #[test]
    fn without_a_panic_the_end_is_shown() {
        let text = excerpt(&frames(1000));
        assert_eq!(text.lines().count(), LINES);
        assert!(text.ends_with("frame 999\n"), "{text}");
        assert_eq!((excerpt(""), cause(&frames(9))), (String::new(), None));
    }

    #[test]
    fn the_cause_begins_after_what_another_cpu_was_printing() {
        assert_eq!(cause(&format!("half a li{PANIC}\r\n")), Some(PANIC));
        let twin = "[    1.5] Kernel panic - not syncing: Attempted to kill init!";
        assert_eq!(cause(twin), Some("Kernel panic - not syncing: Attempted to kill init!"));
    }
}
