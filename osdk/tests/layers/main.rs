//! The kernel's modules import downwards only (kernel/README.md, "Layers").
//!
//! The table below is the architecture; a module that is not in it fails the test too.

mod paths;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the top down. What stands in one row does not know of each other.
const LAYERS: [&[&str]; 11] = [
    &["main"],
    &["start", "panic"],
    &["devices"],
    &["syscall"],
    &["task"],
    &["object", "net", "fs"],
    &["file"],
    &["event", "memory"],
    &["trace", "random"],
    &["console"],
    &["clock"],
];

/// Crates of ours, and the modules that may name them besides those above: the crate's place in the order.
const CRATES: [(&str, &str); 1] = [("pollee", "event")];

#[test]
fn imports_in_the_kernel_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/src");
    let files = rust_files(&source);
    assert!(!files.is_empty(), "no sources in {}", source.display());
    let mut complaints = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let place = file.strip_prefix(&source).expect("a file below the directory");
        complaints.extend(check(place, &text));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_abi_knows_nothing_of_the_rules_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/model/src");
    for file in rust_files(&source.join("abi")) {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let place = file.strip_prefix(&source).expect("a file below the directory");
        for path in paths::used(place, &text).expect("a file that parses") {
            assert!(path.root != "crate" || path.module == "abi", "{}:{}: {path}", file.display(), path.line);
        }
    }
}

#[test]
fn an_arrow_up_or_sideways_is_found() {
    for (place, text) in [
        ("file/table.rs", "use crate::task::Thread;"),
        ("object/pipe.rs", "use crate::net::socket;"),
        ("event/wait.rs", "use crate::{clock, memory::space};"),
        ("clock.rs", "use crate::trace;"),
        ("clock.rs", "use pollee::Pollee;"),
        ("memory/mod.rs", "use super::task;"),
        ("memory/user/sink.rs", "use super::super::super::syscall::Context;"),
        ("task/mod.rs", "fn f() { crate::syscall::call() }"),
        ("task/mod.rs", "fn f() { assert!(crate::syscall::call()) }"),
        ("fs/mod.rs", "mod tests { use super::super::net; }"),
        ("fs/mod.rs", "pub(in crate::fs) fn f(x: &crate::syscall::Context) {}"),
        ("unheard/of.rs", ""),
        ("task/mod.rs", "use crate::unheard;"),
    ] {
        assert!(!check(Path::new(place), text).is_empty(), "{place}: {text}");
    }
}

#[test]
fn an_arrow_down_is_welcome() {
    for (place, text) in [
        ("lib.rs", "mod task; use crate::{task, syscall::table};"),
        ("syscall/pipe.rs", "use crate::{object::pipe, fs, event::wait}; use model::abi::Errno;"),
        ("object/pipe.rs", "use crate::object::eventfd; use super::eventfd; use pollee::Pollee;"),
        ("object/pipe.rs", "//! See crate::syscall.\nuse crate::file::File; use core::task::Poll;"),
        ("object/pipe.rs", "mod task { pub fn f() {} } fn g() { task::f(); self::task::f() }"),
        ("event/mod.rs", "use pollee::Pollee;"),
        ("event/mod.rs", "fn f() { crate::println!(\"crate::syscall\") }"),
    ] {
        assert_eq!(check(Path::new(place), text), Vec::<String>::new(), "{place}: {text}");
    }
}

/// What is wrong with the imports of one file; its place is relative to `kernel/src`.
fn check(place: &Path, text: &str) -> Vec<String> {
    let paths = match paths::used(place, text) {
        Ok(paths) => paths,
        Err(error) => return vec![format!("{}: {error}", place.display())],
    };
    let module = paths::module(place).into_iter().next().unwrap_or("main".to_owned());
    let Some(own) = layer(&module) else {
        return vec![format!("{}: `{module}` has no layer in {}", place.display(), file!())];
    };
    let mut complaints = Vec::new();
    for path in paths {
        let allowed = match CRATES.iter().find(|(name, _)| path.root == *name) {
            Some((_, lowest)) => layer(lowest).is_some_and(|lowest| own < lowest) || module == *lowest,
            None if path.root != "crate" => true,
            None => path.module == module || layer(&path.module).is_some_and(|other| own < other),
        };
        if !allowed {
            complaints.push(format!("{}:{}: `{module}` must not name `{path}`", place.display(), path.line));
        }
    }
    complaints
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
