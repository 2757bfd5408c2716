//! The list at the end of `pollux test`: what failed, so that the last lines of a log suffice.

use std::sync::{Mutex, PoisonError};

/// The most lines that the list repeats of one program.
const REPEATED: usize = 40;

static FAILURES: Mutex<Failures> = Mutex::new(Failures { run: String::new(), all: Vec::new() });

struct Failures {
    /// The title of the run under way.
    run: String,
    all: Vec<String>,
}

/// Prints the title of a run that starts.
pub(crate) fn start(run: &str) {
    println!("{run}");
    run.clone_into(&mut FAILURES.lock().unwrap_or_else(PoisonError::into_inner).run);
}

/// Adds a program of the run under way, with its output.
pub(crate) fn add(name: &str, output: &[&str]) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let text = text(&failures.run, name, output);
    failures.all.push(text);
}

/// Prints the list: each program with its run and the end of its output.
pub(crate) fn print() {
    for failure in &FAILURES.lock().unwrap_or_else(PoisonError::into_inner).all {
        println!("{failure}");
    }
}

fn text(run: &str, name: &str, output: &[&str]) -> String {
    let mut lines: Vec<&str> = output.iter().flat_map(|text| details(text)).collect();
    if lines.len() > REPEATED {
        lines.drain(..lines.len() - REPEATED);
    }
    let lines = lines.iter().map(|line| format!("\n    | {line}"));
    format!("Failed: {name} ({run}){}", lines.collect::<String>())
}

/// Returns what the harness says of the failed cases, or all of an output that is not the harness's.
fn details(output: &str) -> impl Iterator<Item = &str> {
    let start = output.find("\nfailures:\n").map_or(0, |start| start + 1);
    output[start..].lines().filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_repeats_what_the_harness_says_of_a_failure() {
        let stdout = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nleft: 1\n";
        assert_eq!(
            text("Linux, 2 CPUs", "udp", &[stdout, "", "late"]),
            "Failed: udp (Linux, 2 CPUs)\n    | failures:\n    | ---- b stdout ----\n    | left: 1\n    | late"
        );
    }

    #[test]
    fn a_long_output_is_cut_at_its_start() {
        let stdout: String = (0..100).map(|line| format!("{line}\n")).collect();
        let list = text("Host", "loom", &[&stdout]);
        assert_eq!((list.lines().count(), list.lines().last()), (REPEATED + 1, Some("    | 99")));
    }
}
