//! Checks that the kernel's modules import downwards only (kernel/README.md, "Layers").
//!
//! The table below is the architecture; a module that is not in it fails the test too.

mod paths;
mod size;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The layers, from the top down. Modules in one row must not import each other. The longest matching prefix decides.
const LAYERS: [&[&str]; 21] = [
    &["main"],
    &["start", "panic"],
    &["linux::devices"],
    &["linux::syscall"],
    &["linux::proc"],
    &["linux::serial"],
    &["linux::terminal"],
    &["linux::task"],
    &["linux::unix", "linux::netlink", "linux::fs"],
    &["net::syscall"],
    &["net"],
    &["core::syscall"],
    &["core::object"],
    &["core::file"],
    &["core::event"],
    &["machine::memory"],
    &["machine::random"],
    &["machine::console"],
    &["machine::clock"],
    &["machine::kernel_task", "machine::trace"],
    &["machine::pause", "machine::per_cpu"],
];

/// The places of our crates in the order of layers, each with the modules that may also name the crate.
const CRATES: [(&str, &str); 1] = [("pollee", "core::event")];

#[test]
fn imports_in_the_kernel_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel");
    let files: Vec<PathBuf> = ["core", "linux", "machine", "net"]
        .iter()
        .flat_map(|layer| rust_files(&source.join(layer)))
        .collect();
    assert!(!files.is_empty(), "no sources in {}", source.display());
    let mut complaints = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let place = file.strip_prefix(&source).expect("a file below the directory");
        complaints.extend(check(place, &text));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The layers of rules, from the bottom up. A rule may name its own layer and those below; so may kernel code.
const RULES: [&str; 5] = ["abi", "machine", "core", "net", "linux"];

#[test]
fn rules_name_their_own_layer_and_those_below() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/rules/src");
    let mut complaints = Vec::new();
    for file in rust_files(&source) {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let place = file.strip_prefix(&source).expect("a file below the directory");
        let Some(own) = paths::module(place).first().and_then(|name| rule(name)) else { continue };
        for path in paths::used(place, &text).expect("a file that parses") {
            let other = path.module.split("::").next().and_then(rule);
            if path.root == "crate" && other.is_none_or(|other| other > own) {
                complaints.push(format!("{}:{}: {path}", file.display(), path.line));
            }
        }
    }
    assert!(
        complaints.is_empty(),
        "
{}
",
        complaints.join(
            "
"
        )
    );
}

/// The largest number of lines that the core may have.
const WEEKEND: usize = 10_000;

#[test]
fn the_core_can_be_read_in_a_weekend() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel");
    let files = size::CORE.iter().flat_map(|folder| rust_files(&kernel.join(folder)));
    let lines: usize = files.map(|file| size::lines(&file)).sum();
    assert!(lines <= WEEKEND, "the core has {lines} lines");
    let readme = fs::read_to_string(kernel.join("../README.md")).expect("a readable README");
    // Rounded to a hundred, so that few commits have to change it.
    let rounded = size::spelled(lines.div_ceil(100) * 100);
    assert!(readme.contains(&format!("{rounded} lines")), "README.md does not say {rounded} lines");
}

/// Returns the place of a folder of `kernel/rules` among the layers.
fn rule(folder: &str) -> Option<usize> {
    RULES.iter().position(|name| *name == folder)
}

#[test]
fn an_arrow_up_or_sideways_is_found() {
    for (place, text) in [
        ("core/file/table.rs", "use crate::linux::task::Thread;"),
        ("core/object/pipe.rs", "use crate::net::socket;"),
        ("net/socket.rs", "use crate::linux::task::Thread;"),
        ("machine/memory/mod.rs", "use crate::core::event::rank;"),
        ("core/event/parker.rs", "use crate::{core::file};"),
        ("linux/fs/mod.rs", "use crate::linux::terminal::Terminal;"),
        ("machine/clock.rs", "use crate::core::event::class;"),
        ("machine/clock.rs", "use pollee::Pollee;"),
        ("machine/memory/mod.rs", "use super::super::linux::task;"),
        ("core/event/host.rs", "use super::super::file::File;"),
        ("linux/task/mod.rs", "fn f() { crate::linux::syscall::call() }"),
        ("linux/task/mod.rs", "fn f() { assert!(crate::linux::syscall::call()) }"),
        ("machine/memory/mod.rs", "mod tests { use crate::core::event; }"),
        ("net/stack.rs", "pub(in crate::net) fn f(x: &crate::linux::syscall::Context) {}"),
        ("core/object/pipe.rs", "use rules::linux::credentials::Credentials;"),
        ("net/tcp.rs", "use rules::linux::unix;"),
        ("unheard/of.rs", ""),
        ("linux/task/mod.rs", "use crate::unheard::of;"),
    ] {
        assert!(!check(Path::new(place), text).is_empty(), "{place}: {text}");
    }
}

#[test]
fn an_arrow_down_is_welcome() {
    for (place, text) in [
        (
            "linux/syscall/table.rs",
            "use crate::{core::object::pipe, linux::fs, core::event::class}; use rules::abi::Errno;",
        ),
        ("core/object/pipe.rs", "use crate::core::object::eventfd; use super::eventfd; use pollee::Pollee;"),
        (
            "core/object/pipe.rs",
            "//! See crate::linux::syscall.\nuse crate::core::file::File; use core::task::Poll;",
        ),
        ("core/object/pipe.rs", "mod task { pub fn f() {} } fn g() { task::f(); self::task::f() }"),
        ("core/event/mod.rs", "use pollee::Pollee;"),
        ("core/event/mod.rs", "fn f() { crate::println!(\"crate::linux::syscall\") }"),
    ] {
        assert_eq!(check(Path::new(place), text), Vec::<String>::new(), "{place}: {text}");
    }
}

/// Lists the forbidden imports of one file, whose path is relative to `kernel`.
fn check(place: &Path, text: &str) -> Vec<String> {
    let paths = match paths::used(place, text) {
        Ok(paths) => paths,
        Err(error) => return vec![format!("{}: {error}", place.display())],
    };
    let names = paths::module(place);
    let module = if names.is_empty() {
        "main".to_owned()
    } else {
        names.into_iter().take(2).collect::<Vec<_>>().join("::")
    };
    let Some(own) = layer(&module) else {
        // A folder's table of contents names its modules.
        if ["core", "linux", "machine"].contains(&module.as_str()) {
            return Vec::new();
        }
        return vec![format!("{}: `{module}` has no layer in {}", place.display(), file!())];
    };
    let mut complaints = Vec::new();
    for path in paths {
        let allowed = match CRATES.iter().find(|(name, _)| path.root == *name) {
            Some((_, lowest)) => layer(lowest).is_some_and(|lowest| own <= lowest),
            None if path.root == "rules" => {
                let folder = path.module.split("::").next().and_then(rule);
                folder.zip(module.split("::").next().and_then(rule)).is_none_or(|(rules, own)| rules <= own)
            }
            None if path.root != "crate" => true,
            None => {
                path.module == module
                    || layer(&path.module)
                        .is_some_and(|other| own < other || same(own, &module, &path.module))
            }
        };
        // A folder's own name stands for the items that its table of contents re-exports.
        let is_own_folder = module.starts_with(&format!("{}::", path.module));
        if !allowed && !is_own_folder {
            complaints.push(format!("{}:{}: `{module}` must not name `{path}`", place.display(), path.line));
        }
    }
    complaints
}

/// Whether two modules of one row are the same one.
fn same(row: usize, one: &str, other: &str) -> bool {
    let entry = |module: &str| LAYERS[row].iter().find(|entry| covers(entry, module)).copied();
    layer(other) == Some(row) && entry(one) == entry(other)
}

fn covers(entry: &str, module: &str) -> bool {
    module.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn layer(module: &str) -> Option<usize> {
    let rows =
        LAYERS.iter().enumerate().flat_map(|(row, entries)| entries.iter().map(move |entry| (row, entry)));
    rows.filter(|(_, entry)| covers(entry, module)).max_by_key(|(_, entry)| entry.len()).map(|(row, _)| row)
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
