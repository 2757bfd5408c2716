//! Each atomic access of `pollee` has its transition in a model of the proof (kernel/pollee/proof/accesses.md).

mod source;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use source::Access;

/// A row of the table: an access, and what it says of the model.
struct Row {
    access: Access,
    transition: String,
}

fn crate_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/pollee")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table() -> Vec<Row> {
    rows(&read(&crate_directory().join("proof/accesses.md")))
}

fn rows(text: &str) -> Vec<Row> {
    let cells = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        line.trim_matches(['|', ' ']).splitn(4, '|').map(str::trim).map(str::to_owned).collect::<Vec<_>>()
    });
    cells
        .map(|cells| {
            let [file, function, operation, transition] =
                <[String; 4]>::try_from(cells).expect("four columns");
            let plain = |cell: String| cell.trim_matches('`').to_owned();
            let access = Access { file: plain(file), function: plain(function), operation: plain(operation) };
            Row { access, transition }
        })
        .collect()
}

/// How often each access occurs.
fn counted(accesses: impl Iterator<Item = Access>) -> BTreeMap<Access, usize> {
    let mut counts = BTreeMap::new();
    for access in accesses {
        *counts.entry(access).or_default() += 1;
    }
    counts
}

fn differences(source: &BTreeMap<Access, usize>, table: &BTreeMap<Access, usize>) -> Vec<String> {
    let mut complaints = Vec::new();
    for access in source.keys().chain(table.keys().filter(|access| !source.contains_key(access))) {
        let (here, there) =
            (source.get(access).copied().unwrap_or(0), table.get(access).copied().unwrap_or(0));
        if here != there {
            complaints.push(format!("{access}: {here} in the source, {there} in the table"));
        }
    }
    complaints
}

#[test]
fn the_table_names_each_access_and_no_other() {
    let root = crate_directory().join("src");
    let source = source::files(&root)
        .into_iter()
        .flat_map(|file| {
            let place = file.strip_prefix(&root).expect("a file below src").to_string_lossy().into_owned();
            source::accesses(&place, &read(&file)).unwrap_or_else(|error| panic!("{place}: {error}"))
        })
        .collect::<Vec<_>>();
    assert!(!source.is_empty(), "no atomic access in {}", root.display());
    let found =
        differences(&counted(source.into_iter()), &counted(table().into_iter().map(|row| row.access)));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn each_row_names_a_step_or_a_reason() {
    let mut complaints = Vec::new();
    for row in table() {
        let steps = steps(&row.transition);
        if steps.is_empty() && !row.transition.starts_with('*') {
            complaints.push(format!("{}: neither a step nor a reason", row.access));
        }
        for (model, step) in steps {
            let text = read(&crate_directory().join("proof").join(format!("{model}.py")));
            if !text.contains(&format!("@m.step(\"{step}\"")) {
                complaints.push(format!("{}: {model}.py has no step {step:?}", row.access));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The steps of a cell, each with its model: "`locked`: `one`, `two`; `handoff`: `three`".
fn steps(cell: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in cell.split("; ").filter(|part| part.starts_with('`')) {
        let mut names = part.split('`').skip(1).step_by(2);
        let model = names.next().unwrap_or_default();
        found.extend(names.map(|step| (model.to_owned(), step.to_owned())));
    }
    found
}

#[test]
fn an_access_without_a_row_is_found_and_a_row_without_an_access() {
    let text =
        "impl ReadinessWord { fn f(&self) { self.0.load(Ordering::Relaxed); fence(Ordering::SeqCst) } }";
    let source = || source::accesses("word.rs", text).expect("Rust");
    let row = |operation: &str| {
        rows(&format!("| `word.rs` | `f` | `{operation}` | *why* |")).into_iter().map(|row| row.access)
    };
    let all = || row("load(Relaxed)").chain(row("fence(SeqCst)"));
    assert_eq!(differences(&counted(source().into_iter()), &counted(all())), Vec::<String>::new());
    assert_eq!(differences(&counted(source().into_iter()), &counted(row("load(Relaxed)"))).len(), 1);
    assert_eq!(
        differences(&counted(source().into_iter()), &counted(all().chain(row("swap(AcqRel)")))).len(),
        1
    );
    let other = row("load(Acquire)").chain(row("fence(SeqCst)"));
    assert_eq!(differences(&counted(source().into_iter()), &counted(other)).len(), 2, "another ordering");
}

#[test]
fn tests_and_plain_calls_are_no_accesses() {
    for text in [
        "#[cfg(test)] mod tests { fn f(x: &AtomicU64) { x.load(Ordering::Relaxed); } }",
        "#[cfg(all(test, not(loom)))] mod tests { fn f() { word.watch(x); } }",
        "fn f(library: &Library) { library.load(); core::mem::swap(a, b) }",
    ] {
        assert_eq!(source::accesses("word.rs", text).expect("Rust"), [], "{text}");
    }
}

#[test]
fn the_steps_of_a_cell_are_read_with_their_models() {
    let cell = "`locked`: `a: b`, `c`; `handoff`: `d`; *and why*";
    let expected = [("locked", "a: b"), ("locked", "c"), ("handoff", "d")];
    assert_eq!(steps(cell), expected.map(|(model, step)| (model.to_owned(), step.to_owned())));
}
