//! Collects what exists in the project: files, the names in code and where they are defined, decisions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::lexer;

/// Directories that contain nothing of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];

/// Keywords before the name of a definition.
const DEFINING: [&str; 7] = ["struct", "enum", "trait", "type", "union", "mod", "macro_rules"];

/// The project's files, and the names in them.
#[derive(Default)]
pub(crate) struct Tree {
    /// All files and directories, relative to the root.
    places: BTreeSet<String>,
    /// The paths without `src` and extensions, as comments name modules: `kernel/pollee/word`.
    modules: BTreeSet<String>,
    /// Every identifier in code.
    names: BTreeSet<String>,
    /// The identifiers in each source file.
    sources: Vec<BTreeSet<String>>,
    /// For each type or module name, the files that define it.
    scopes: BTreeMap<String, Vec<usize>>,
}

impl Tree {
    /// Reads the project below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        for path in files(root) {
            let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
            tree.add(&path, &text);
        }
        tree
    }

    /// Adds a file, and the directories above it.
    pub(crate) fn add(&mut self, path: &str, text: &str) {
        for place in Path::new(path).ancestors().filter(|place| !place.as_os_str().is_empty()) {
            self.places.insert(place.to_string_lossy().into_owned());
            self.modules.insert(bare(&place.to_string_lossy()));
        }
        if path.ends_with("Cargo.toml") {
            let keys = text.lines().filter_map(|line| Some(line.split_once(" =")?.0));
            self.names.extend(keys.map(|key| key.replace('-', "_")));
        }
        if path.ends_with(".rs") {
            let code = lexer::split(text).code;
            let names: BTreeSet<String> = identifiers(&code).map(str::to_owned).collect();
            let around = bare(path);
            let scopes = defined(&code).into_iter().chain(around.split('/').map(str::to_owned));
            for scope in scopes {
                self.scopes.entry(scope).or_default().push(self.sources.len());
            }
            self.names.extend(names.iter().cloned());
            self.sources.push(names);
        }
    }

    /// Whether any code has this identifier.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether a module, a crate or a directory of ours has this name.
    pub(crate) fn has_module(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.rsplit('/').next() == Some(name))
    }

    /// Whether `scope::name` can exist. Types and crates of others may have any member.
    pub(crate) fn is_member(&self, scope: &str, name: &str) -> bool {
        match self.scopes.get(scope) {
            Some(files) => {
                let mut sources = files.iter().filter_map(|file| self.sources.get(*file));
                sources.any(|names| names.contains(name)) || self.has_place(&format!("{scope}/{name}"))
            }
            None => self.names.contains(scope),
        }
    }

    /// Whether a file or directory has the path `claim`, or a path that ends in it. The claim may omit `src` and the
    /// extension. `*` matches any name, and so does a name in capitals.
    pub(crate) fn has_place(&self, claim: &str) -> bool {
        let claim: Vec<&str> = claim.trim_end_matches('/').rsplit('/').collect();
        let is_any =
            |name: &str| name == "*" || (name.len() > 1 && name.bytes().all(|b| b.is_ascii_uppercase()));
        let ends_with = |place: &String| {
            let mut names = place.rsplit('/');
            claim.iter().all(|want| names.next().is_some_and(|name| name == *want || is_any(want)))
        };
        self.places.iter().any(ends_with) || self.modules.iter().any(ends_with)
    }

    /// Whether this is the whole path of a file or directory.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.places.contains(path)
    }

    /// Returns the numbers of the decisions.
    pub(crate) fn has_decision(&self, number: &str) -> bool {
        let start = format!("kernel/decisions/{number}-");
        self.places.iter().any(|place| place.starts_with(&start))
    }
}

/// Converts a path to the form in which comments name modules: no `src`, no `mod`, no extension.
fn bare(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|name| *name != "src").collect::<Vec<_>>().join("/")
}

/// Finds the identifiers in code.
pub(crate) fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Finds the names that code defines or implements.
fn defined(code: &str) -> BTreeSet<String> {
    let words: Vec<&str> = identifiers(code).collect();
    let pairs = words.iter().zip(words.iter().skip(1));
    let mut found: BTreeSet<String> =
        pairs.filter(|(word, _)| DEFINING.contains(word)).map(|(_, name)| (*name).to_owned()).collect();
    for part in code.split("impl").skip(1) {
        let head = part.split(['{', ';']).next().unwrap_or_default();
        found.extend(identifiers(head).map(str::to_owned));
    }
    found
}

/// Lists the files below `root`, relative to it.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root.join(&directory)).expect("a readable directory") {
            let entry = entry.expect("a readable entry");
            let path = directory.join(entry.file_name());
            match entry.file_type().expect("the type of a file") {
                kind if !kind.is_dir() => found.push(path.to_string_lossy().into_owned()),
                _ if SKIPPED.iter().any(|name| path.ends_with(name)) => {}
                _ => directories.push(path),
            }
        }
    }
    found
}
