//! Checks that everything that comments and documents name exists: paths, modules, types, decisions, links.

mod claims;
mod decisions;
mod lexer;
mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::tree::Tree;

/// The extensions of files with checked comments.
const CHECKED: [&str; 7] = [".rs", ".md", ".toml", ".sh", ".yml", ".ld", "Makefile"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn what_comments_and_documents_name_exists() {
    let root = root();
    let tree = Tree::read(&root);
    let mut complaints = Vec::new();
    for path in tree::files(&root) {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        if CHECKED.iter().any(|end| path.ends_with(end)) || text.starts_with("#!") {
            complaints.extend(claims::check(&tree, &path, &text));
        }
    }
    complaints.sort();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn decisions_have_one_form_and_are_named_by_the_code_they_explain() {
    let root = root();
    let directory = root.join("kernel/decisions");
    let texts: Vec<(String, String)> = tree::files(&directory)
        .into_iter()
        .map(|name| (fs::read_to_string(directory.join(&name)).expect("a readable record"), name))
        .map(|(text, name)| (name, text))
        .collect();
    let records: Vec<decisions::Record<'_>> = texts
        .iter()
        .filter(|(name, _)| name != "README.md")
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert!(!records.is_empty(), "no records in {}", directory.display());
    let index = fs::read_to_string(directory.join("README.md")).expect("a readable index");
    let read = |place: &str| {
        let path = root.join(place);
        if !path.is_dir() {
            return fs::read_to_string(path).ok();
        }
        Some(tree::files(&path).iter().filter_map(|name| fs::read_to_string(path.join(name)).ok()).collect())
    };
    let complaints = decisions::check(&records, &index, read);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
