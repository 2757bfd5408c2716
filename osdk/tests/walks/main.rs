//! Checks the two walks of kernel/README.md: the files that a reader opens to follow one event.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{
    ImplItemFn, ItemFn, TraitItemFn,
    visit::{self, Visit},
};

/// A walk, as a table of the document.
struct Walk {
    title: String,
    steps: Vec<Step>,
}

/// A row: a file, and its functions on the walk.
struct Step {
    number: usize,
    file: String,
    functions: Vec<String>,
}

/// The beginning of each title, and how many files that walk may go through.
const WALKS: [(&str, usize); 2] = [("From write(2)", 15), ("From the network card", 18)];

/// The most lines of a file on a walk.
const LONGEST: usize = 400;

#[test]
fn the_two_walks_are_in_the_source_and_short() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel");
    let text = fs::read_to_string(kernel.join("README.md")).expect("a readable map");
    let walks = walks(&text);
    assert_eq!(walks.len(), WALKS.len(), "walks in the map");
    let mut complaints = Vec::new();
    for (walk, (title, most)) in walks.iter().zip(WALKS) {
        assert!(walk.title.starts_with(title), "{} instead of {title}", walk.title);
        complaints.extend(check(walk, most, |file| fs::read_to_string(kernel.join(file)).ok()));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Finds the tables of the section "Two walks", each below its bold title.
fn walks(text: &str) -> Vec<Walk> {
    let section = text.split("\n## ").find(|section| section.starts_with("Two walks")).unwrap_or_default();
    let mut walks: Vec<Walk> = Vec::new();
    for line in section.lines() {
        if let Some(title) = line.strip_prefix("**") {
            walks.push(Walk { title: title.to_owned(), steps: Vec::new() });
        } else if let (Some(walk), Some(step)) = (walks.last_mut(), step(line)) {
            walk.steps.push(step);
        }
    }
    walks
}

/// Parses a row: `| 1 | file | functions | what they decide |`.
fn step(line: &str) -> Option<Step> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [number, file, functions, _] = cells[..] else { return None };
    Some(Step {
        number: number.parse().ok()?,
        file: file.trim_matches('`').to_owned(),
        functions: functions.split(", ").map(|name| name.trim_matches('`').to_owned()).collect(),
    })
}

/// Lists what is wrong with a walk through at most `most` files, which `read` reads.
fn check(walk: &Walk, most: usize, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    if walk.steps.is_empty() || walk.steps.len() > most {
        complaints.push(format!("{}: {} files instead of {most}", walk.title, walk.steps.len()));
    }
    let mut seen = BTreeSet::new();
    for (position, step) in walk.steps.iter().enumerate() {
        let Step { number, file, functions } = step;
        if *number != position + 1 || !seen.insert(file) {
            complaints.push(format!("{number}: {file} is out of order, or was met before"));
        }
        let Some(text) = read(file) else {
            complaints.push(format!("{number}: there is no {file}"));
            continue;
        };
        if text.lines().count() > LONGEST {
            complaints.push(format!("{number}: {file} has more than {LONGEST} lines"));
        }
        let defined = functions_of(&text);
        for function in functions.iter().filter(|function| !defined.contains(*function)) {
            complaints.push(format!("{number}: {file} has no function {function}"));
        }
    }
    complaints
}

/// Collects the names of the functions that a source file defines.
fn functions_of(text: &str) -> BTreeSet<String> {
    let mut finder = Finder(BTreeSet::new());
    if let Ok(file) = syn::parse_file(text) {
        finder.visit_file(&file);
    }
    finder.0
}

struct Finder(BTreeSet<String>);

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.0.insert(item.sig.ident.to_string());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.0.insert(item.sig.ident.to_string());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.0.insert(item.sig.ident.to_string());
        visit::visit_trait_item_fn(self, item);
    }
}

#[test]
fn a_wrong_step_is_found() {
    let table = |rows: &str| {
        walks(&format!(
            "# Map\n\n## Two walks\n\n**A walk**\n\n| | File | Function | What |\n{rows}\n## Next\n"
        ))
    };
    let read = |file: &str| (file != "gone.rs").then(|| "impl A { fn f(&self) {} } fn g() {}".to_owned());
    let complaints = |rows: &str| check(&table(rows)[0], 2, read);
    assert_eq!(
        complaints("| 1 | `a.rs` | `f`, `g` | this |\n| 2 | `b.rs` | `g` | that |"),
        Vec::<String>::new()
    );
    for wrong in [
        "",
        "| 1 | `a.rs` | `h` | a function that is not there |",
        "| 1 | `gone.rs` | `f` | a file that is not there |",
        "| 1 | `a.rs` | `f` | this |\n| 2 | `a.rs` | `g` | a file again |",
        "| 2 | `a.rs` | `f` | not the first |",
        "| 1 | `a.rs` | `f` | one |\n| 2 | `b.rs` | `f` | two |\n| 3 | `c.rs` | `f` | too many |",
    ] {
        assert!(!complaints(wrong).is_empty(), "{wrong}");
    }
}
