//! Finds what comments and Markdown files name, and checks that it exists.
//!
//! Checked: paths, `a::b`, names of types in backticks, the modules that a file's head names after "Not here", numbers
//! of decisions, links in Markdown. Not checked: links in brackets, because rustdoc rejects broken ones (`pollux
//! check`); names in lower case alone, because a function of ours and one of Linux look the same; code in fences.

use std::path::{Component, Path, PathBuf};

use crate::{lexer, tree::Tree};

/// Names in camel case that our code lacks, by where they are defined.
const FOREIGN: [&str; 13] = [
    // Fields of /proc/PID/status and /proc/meminfo.
    "MemFree",
    "VmData",
    "VmHWM",
    "VmRSS",
    "VmSize",
    // OSTD.
    "BootloaderFramebufferArg",
    // The crate virtio-drivers.
    "Hal",
    // A unit in a sentence about a command.
    "MiB",
    // Asterinas and tokio, beside which the crate pollee explains its words.
    "IoEvents",
    "Notified",
    "Notify",
    "Observer",
    "ScheduledIo",
];

/// Crates, modules and types of others, whose members this test does not know.
const CRATES: [&str; 13] = [
    "alloc",
    "core",
    "crate",
    "loom",
    "ostd",
    "self",
    "shuttle",
    "smoltcp",
    "std",
    "super",
    "Self",
    "Notify",
    "ScheduledIo",
];

/// Prefixes of paths that are not ours: build output, Linux's sources, the sources of the crate `bootloader`.
const FOREIGN_PLACES: [&str; 3] = ["target/", "mm/", "src/fat.rs"];

/// The words that end the "Not here" of a head.
const FIELDS: [&str; 8] =
    ["Owns:", "Invariant:", "Source:", "Lock:", "Locks:", "Missing:", "Why:", "Not here:"];

/// Lists the names in a file that do not exist, with file and line.
pub(crate) fn check(tree: &Tree, path: &str, text: &str) -> Vec<String> {
    let comments = comments(path, text);
    let mut complaints = Vec::new();
    for (line, text) in &comments {
        let mut missing = missing(tree, text);
        if path.ends_with(".md") {
            missing.extend(broken_links(tree, path, text));
        }
        complaints.extend(missing.iter().map(|name| format!("{path}:{line}: there is no {name}")));
    }
    let head = comments.iter().enumerate().take_while(|(at, (line, _))| *line == at + 1);
    let head: Vec<&str> = head.map(|(_, (_, text))| text.as_str()).collect();
    let missing = missing_modules(tree, &head.join(" "));
    complaints.extend(missing.iter().map(|name| format!("{path}:1: there is no module {name}")));
    complaints
}

/// Lists the names in a line of a comment or of Markdown that do not exist.
fn missing(tree: &Tree, line: &str) -> Vec<String> {
    let parts: Vec<&str> = line.split('`').collect();
    let quoted = parts.iter().skip(1).step_by(2);
    let mut missing: Vec<String> =
        quoted.flat_map(|span| span.split_whitespace()).flat_map(|word| in_code(tree, word)).collect();
    let plain: Vec<&str> = parts.iter().step_by(2).flat_map(|part| part.split_whitespace()).collect();
    // The target of a link is relative to its file.
    let plain = plain.iter().filter(|word| !word.contains("]("));
    missing.extend(plain.flat_map(|word| in_prose(tree, word)));
    let unknown = numbers(line).filter(|number| !tree.has_decision(number));
    missing.extend(unknown.map(|number| format!("decision {number}")));
    missing
}

/// Checks a word in backticks.
fn in_code(tree: &Tree, word: &str) -> Vec<String> {
    if is_path(word) {
        return path(tree, word);
    }
    let mut missing = Vec::new();
    for part in word.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        let names: Vec<&str> = part.split("::").collect();
        let unknown =
            names.iter().filter(|name| is_type(name) && !tree.has_name(name) && !FOREIGN.contains(name));
        missing.extend(unknown.map(|name| format!("`{name}`")));
        let is_foreign = names.first().is_some_and(|first| CRATES.contains(first));
        for pair in names.windows(2).filter(|_| !is_foreign) {
            if let [scope, name] = pair
                && is_identifier(scope)
                && is_identifier(name)
                && !tree.is_member(scope, name)
            {
                missing.push(format!("`{scope}::{name}`"));
            }
        }
    }
    missing
}

/// Checks a word outside of backticks, where only paths can be told from prose.
fn in_prose(tree: &Tree, word: &str) -> Vec<String> {
    let word = word.trim_start_matches(['(', '"', '[', '*']);
    let word = word.trim_end_matches(|c: char| !c.is_alphanumeric() && !"/*}_".contains(c));
    if is_path(word) { path(tree, word) } else { Vec::new() }
}

/// Whether this looks like a path of the project, or the end of one. Those of Linux's sources end in `.c` or `.h`.
fn is_path(word: &str) -> bool {
    let foreign = [".c", ".h", ".S", ".rst", ".tbl"];
    let ours = [".lock", ".md", ".rs", ".toml"];
    (word.contains('/') || ours.iter().any(|end| word.ends_with(end)))
        && !word.contains("//")
        && !word.contains(".org/")
        && !foreign.iter().any(|end| word.ends_with(end))
        && !FOREIGN_PLACES.iter().any(|start| word.starts_with(start))
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.*{},:".contains(c))
        && (word.starts_with(|c: char| c.is_ascii_lowercase() || c == '.') || !word.contains('/'))
}

fn path(tree: &Tree, word: &str) -> Vec<String> {
    let (place, item) = word.split_once("::").unwrap_or((word, ""));
    let places = alternatives(place).into_iter().filter(|place| !tree.has_place(place));
    let mut missing: Vec<String> = places.map(|place| format!("`{place}`")).collect();
    let module = place.rsplit('/').next().unwrap_or(place);
    if !item.is_empty() && !tree.is_member(module, item) {
        missing.push(format!("`{word}`"));
    }
    missing
}

/// Expands a path with one group in braces.
fn alternatives(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (names, after))) = parts else { return vec![path.to_owned()] };
    names.split(',').map(|name| format!("{before}{}{after}", name.trim())).collect()
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether a name is in camel case: a type, a trait or a variant.
fn is_type(name: &str) -> bool {
    name.len() > 2
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.contains(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Finds the numbers of decisions in a line. No decision has a number above 0999, and no mode of a file is below 0100.
fn numbers(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_alphanumeric() && !"_.:#'-".contains(c));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| word.len() == 4 && word.starts_with("00") && word.bytes().all(|b| b.is_ascii_digit()))
}

/// Lists the modules that a head names in parentheses after "Not here" and that do not exist.
fn missing_modules(tree: &Tree, head: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for list in head.split("Not here:").skip(1) {
        let list = FIELDS.iter().fold(list, |list, end| list.split(end).next().unwrap_or(list));
        let groups = list.split('(').skip(1).filter_map(|part| part.split(')').next());
        let words = groups.flat_map(|group| group.split(',')).map(|word| word.trim().trim_matches('`'));
        let words =
            words.filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        missing.extend(words.filter(|word| !tree.has_module(word)).map(|word| format!("`{word}`")));
    }
    missing
}

/// Lists the links in a line of the Markdown file `path` whose files do not exist.
fn broken_links(tree: &Tree, path: &str, line: &str) -> Vec<String> {
    let targets = line.split("](").skip(1).filter_map(|part| part.split(')').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or(target));
    let targets = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    targets
        .filter(|target| !tree.has_path(&resolve(path, target)))
        .map(|target| format!("file behind the link {target}"))
        .collect()
}

/// Resolves the link `target` in the file `path`.
fn resolve(path: &str, target: &str) -> String {
    let mut place = PathBuf::from(path);
    place.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::Normal(name) => place.push(name),
            _ => {}
        }
    }
    place.to_string_lossy().into_owned()
}

/// Returns a file's comments with their line numbers. A Markdown file is one comment, except its fences.
fn comments(path: &str, text: &str) -> Vec<(usize, String)> {
    if path.ends_with(".rs") {
        let comments = lexer::split(text).comments;
        return comments.into_iter().map(|comment| (comment.line, comment.text)).collect();
    }
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    if !path.ends_with(".md") {
        return lines
            .filter_map(|(nr, line)| Some((nr, line.strip_prefix('#')?.trim().to_owned())))
            .collect();
    }
    let mut is_code = false;
    let mut kept = Vec::new();
    for (nr, line) in lines {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            kept.push((nr, line.to_owned()));
        }
    }
    kept
}

#[cfg(test)]
fn example() -> Tree {
    let mut tree = Tree::default();
    tree.add("kernel/core/event/wait.rs", "pub(crate) fn until() {} enum Wake { Called(Box<u8>) } // `Gone`");
    tree.add("kernel/pollee/src/word.rs", "impl<H: Host> Word<H> { fn events(&self) { \"Gone\"; } }");
    tree.add("Cargo.toml", "[package]");
    tree.add("kernel/decisions/0001-write-it-down.md", "");
    tree
}

#[test]
fn what_exists_may_be_named() {
    for line in [
        "Sleeping is elsewhere (event/wait), the word in `kernel/pollee/src/word.rs`, `pollee/word`.",
        "`core/event/wait::until`, `wait::until`, `Wake::Called`, `Word::<H>::events`, `Box<Wake>`",
        "`ostd::task::spawn` (0001), decision 0001, mode 0644, net/ipv4/tcp.c, /proc/self, read(2), `target/x`",
        "`wait.rs`, `event/*`, `event/{wait}.rs`, and https://example.org/a/b, TCP/IP, `Cargo.toml`",
    ] {
        assert_eq!(check(&example(), "x.md", line), Vec::<String>::new(), "{line}");
    }
    let head = "//! A head.\n//!\n//! Not here: sleeping (`wait`), words (word,\n//! pollee).\n";
    assert_eq!(check(&example(), "x.rs", head), Vec::<String>::new());
    let link = "[a record](decisions/0001-write-it-down.md#why)";
    assert_eq!(check(&example(), "kernel/README.md", link), Vec::<String>::new());
}

#[test]
fn what_does_not_exist_is_found() {
    for line in [
        "Sleeping is elsewhere (event/sleep).",
        "`kernel/src/word.rs`",
        "`event/wait.rs` and `event/{wait,sleep}.rs`",
        "`wait::never`",
        "`event/wait::never`",
        "`Wake::gone`",
        "`Gone`",
        "`sleep.rs`",
        "`model::Wake`",
        "decision 0002",
        "as told elsewhere (0002)",
        "[a record](kernel/decisions/0002-forget-it.md)",
    ] {
        assert_eq!(check(&example(), "x.md", line).len(), 1, "{line}");
    }
    let head = "//! A head.\n//!\n//! Not here: sleeping (`sleep`), words (word).\n";
    assert_eq!(check(&example(), "x.rs", head), ["x.rs:1: there is no module `sleep`"]);
    assert_eq!(check(&example(), "x.rs", "let a = 1; // `Gone`\n"), ["x.rs:1: there is no `Gone`"]);
    assert_eq!(check(&example(), "x.rs", "let a = \"`Gone`\";\n"), Vec::<String>::new());
    assert_eq!(
        check(&example(), "x.toml", "a = 1\n# See event/sleep.\n"),
        ["x.toml:2: there is no `event/sleep`"]
    );
}
