//! Grades the exercise `faults`: compares the answers with the cases of the model check.

use exercises::faults::ANSWERS;

#[test]
fn the_faults_are_found() {
    let cases = include_str!("../../../pollee/tests/loom/faults.rs");
    let faults: Vec<&str> = cases
        .lines()
        .filter_map(|line| line.trim().strip_prefix("case(Fault::")?.split(',').next())
        .collect();
    for (nr, answer) in ANSWERS {
        assert!(!answer.is_empty(), "case {nr} has no answer yet");
        assert_eq!(faults.get(nr), Some(&answer), "case {nr} is another fault");
    }
}
