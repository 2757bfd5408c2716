//! Each allocation in the kernel that cannot fail has its bound, in words (bounds.txt).
//!
//! What a program can make long or many is asked for through `rules::machine::fallible`, which the kernel's budget
//! answers. What remains here is small for each call or object, or made once.

mod source;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The operations of a file, each with how often it occurs.
type Counts = BTreeMap<String, usize>;

/// The files that hold the rule itself.
const EXEMPT: [&str; 1] = ["rules/src/machine/fallible.rs"];

fn kernel() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the sources have, by file.
fn found() -> BTreeMap<String, Counts> {
    let root = kernel();
    let files =
        ["core", "linux", "machine", "net", "rules/src"].map(|folder| source::files(&root.join(folder)));
    let mut all = BTreeMap::new();
    for file in files.iter().flatten() {
        let place = file.strip_prefix(&root).expect("a file below the kernel").to_string_lossy().into_owned();
        if EXEMPT.contains(&place.as_str()) {
            continue;
        }
        let operations = source::allocations(&read(file)).unwrap_or_else(|error| panic!("{place}: {error}"));
        let mut counts = Counts::new();
        operations.into_iter().for_each(|operation| *counts.entry(operation).or_default() += 1);
        if !counts.is_empty() {
            all.insert(place, counts);
        }
    }
    all
}

/// What the table allows, by file: the operations with their counts, and the bound.
fn table(text: &str) -> BTreeMap<String, (Counts, String)> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        let [file, operations, bound] = <[&str; 3]>::try_from(cells).expect("three columns");
        let counts = operations.split(", ").map(|operation| {
            let (name, count) = operation.split_once(" × ").unwrap_or((operation, "1"));
            (name.trim_matches('`').to_owned(), count.parse().expect("a number"))
        });
        (file.trim_matches('`').to_owned(), (counts.collect(), bound.to_owned()))
    })
    .collect()
}

/// The row of a file, without its bound.
fn row(file: &str, counts: &Counts) -> String {
    let operations: Vec<String> = counts
        .iter()
        .map(|(name, count)| if *count == 1 { format!("`{name}`") } else { format!("`{name}` × {count}") })
        .collect();
    format!("| `{file}` | {} |", operations.join(", "))
}

fn complaints(found: &BTreeMap<String, Counts>, table: &BTreeMap<String, (Counts, String)>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, counts) in found {
        match table.get(file) {
            Some((allowed, bound)) if allowed == counts && !bound.is_empty() => {}
            _ => complaints.push(row(file, counts)),
        }
    }
    complaints.extend(
        table.keys().filter(|file| !found.contains_key(*file)).map(|file| format!("{file}: no more")),
    );
    complaints
}

#[test]
fn what_cannot_fail_has_a_bound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/allocations/bounds.txt");
    let complaints = complaints(&found(), &table(&read(&path)));
    assert!(
        complaints.is_empty(),
        "use rules::machine::fallible, or say in bounds.txt what bounds these:\n{}\n",
        complaints.join("\n")
    );
}

#[test]
fn allocations_are_found_in_calls_methods_and_macros() {
    let text = "fn f() { let a = vec![1, g(format!(\"\"))]; Box::new(a.to_vec()); alloc::sync::Arc::new(1); a.push(2) }
        #[cfg(test)] mod tests { fn f() { vec![1]; } }
        fn g() { fallible::push(&mut a, 1)?; fallible::copy(b)?; a.len() }";
    let mut found = source::allocations(text).expect("Rust");
    found.sort();
    assert_eq!(found, ["Arc::new", "Box::new", "format!", "push", "to_vec", "vec!"]);
}

#[test]
fn a_row_that_is_wrong_or_says_nothing_is_refused() {
    let found = BTreeMap::from([("a.rs".to_owned(), Counts::from([("push".to_owned(), 2)]))]);
    let check = |text: &str| complaints(&found, &table(text)).len();
    assert_eq!(check("| `a.rs` | `push` × 2 | one for each CPU |"), 0);
    assert_eq!(check("| `a.rs` | `push` × 3 | one for each CPU |"), 1);
    assert_eq!(check("| `a.rs` | `push` × 2 | |"), 1);
    assert_eq!(check("| `b.rs` | `push` | none |"), 2);
}
