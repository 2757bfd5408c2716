//! What of a kernel's log is shown when the kernel went down.
//!
//! Not here: the log itself (`session`); names for its addresses (`symbols`).

/// Lines of the log that are shown of a kernel that said nothing of its end.
const LINES: usize = 60;

/// Lines that lead up to a panic, and as many from it on as two backtraces take.
const BEFORE: usize = 12;
const AFTER: usize = 300;

/// How the kernels begin the line that says why they end: this one, and the twin.
const CAUSES: [&str; 2] = ["pollux: panic on cpu", "Kernel panic - not syncing"];

/// The line that says why the kernel went down, if it had the time to say so.
pub(crate) fn cause(log: &str) -> Option<&str> {
    log.lines().find_map(cause_in)
}

/// The end of the log: from the cause on, however much came after it, or some last lines.
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

/// The cause, if it is in this line: after what another CPU had begun to print, or a time stamp.
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
