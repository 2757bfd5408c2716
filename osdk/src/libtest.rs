//! Parses the output of Rust's test harness: how many cases passed and failed.

/// The number of cases of one test program, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Counts the cases of a program from its output and exit status (`None`: it did not end).
///
/// A program that did not reach its summary, or whose status contradicts it, has at least one failed case.
pub(crate) fn tally(stdout: &str, status: Option<u8>) -> Tally {
    match stdout.lines().rev().find_map(summary) {
        Some(tally) if status == Some(0) || tally.failed > 0 => tally,
        Some(tally) => Tally { failed: 1, ..tally },
        None => {
            let count = |end: &str| {
                let cases = stdout.lines().filter(|line| line.starts_with("test ") && line.ends_with(end));
                u32::try_from(cases.count()).unwrap_or(u32::MAX)
            };
            Tally {
                passed: count(" ... ok"),
                failed: count(" ... FAILED") + 1,
                ignored: count(" ... ignored"),
            }
        }
    }
}

/// Counts a program that is a single case, with its exit status as the verdict.
pub(crate) fn one(status: Option<u8>) -> Tally {
    let passed = u32::from(status == Some(0));
    Tally { passed, failed: 1 - passed, ignored: 0 }
}

/// Parses `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
fn summary(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word))?;
        part.trim().parse().ok()
    };
    // The harness inside the kernel knows no ignored cases.
    Some(Tally { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored").unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\nrunning 4 tests\ntest a ... ok\n\ntest result: ok. 3 passed; 0 failed; 1 ignored; \
                           0 measured; 7 filtered out; finished in 0.00s\n\n";

    #[test]
    fn the_summary_is_believed_when_the_status_agrees() {
        assert_eq!(tally(SUMMARY, Some(0)), Tally { passed: 3, failed: 0, ignored: 1 });
        let failing = SUMMARY.replace("ok. 3 passed; 0", "FAILED. 1 passed; 2");
        assert_eq!(tally(&failing, Some(101)), Tally { passed: 1, failed: 2, ignored: 1 });
    }

    #[test]
    fn the_harness_inside_the_kernel_is_understood() {
        let text = "test kernel::a::b ... ok\n\ntest result: ok. 5 passed; 0 failed; 2 filtered out.\n";
        assert_eq!(tally(text, Some(0)), Tally { passed: 5, failed: 0, ignored: 0 });
    }

    #[test]
    fn a_status_that_contradicts_the_summary_is_a_failure() {
        for status in [Some(1), Some(139), None] {
            assert_eq!(tally(SUMMARY, status).failed, 1, "{status:?}");
        }
    }

    #[test]
    fn a_program_without_a_summary_has_failed() {
        assert_eq!(tally("", Some(0)), Tally { failed: 1, ..Tally::default() });
        let cut = "running 3 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... ";
        assert_eq!(tally(cut, Some(137)), Tally { passed: 1, failed: 2, ignored: 0 });
    }
}
