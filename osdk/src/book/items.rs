//! Finds items of the source by their names: functions, methods, types, constants.
//!
//! An item has a name, as `find` or `Items::find`, and is looked for below a directory or in a file. It may move
//! between the files of that directory; if it is renamed or removed, the book fails.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context, Result, bail};
use syn::spanned::Spanned;

/// An item's place in the source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Item {
    /// The file, relative to the project.
    pub(super) path: String,
    /// Its first line, doc comments included, and its last.
    pub(super) lines: (usize, usize),
    /// The line of its name.
    pub(super) at: usize,
}

/// A name in a file, with its lines.
type Named = (String, (usize, usize), usize);

/// The items of the project, parsed as they are asked for.
pub(super) struct Items<'a> {
    root: &'a Path,
    parsed: RefCell<BTreeMap<PathBuf, Rc<Vec<Named>>>>,
}

impl<'a> Items<'a> {
    pub(super) const fn new(root: &'a Path) -> Self {
        Self { root, parsed: RefCell::new(BTreeMap::new()) }
    }

    /// Finds the item `name` below `place`, a directory or a file. If a type has several methods of the name, the first
    /// one in a file counts, which is the type's own.
    pub(super) fn find(&self, place: &str, name: &str) -> Result<Item> {
        let start = self.root.join(place);
        if !start.exists() {
            bail!("there is no {place}");
        }
        let last = name.rsplit("::").next().unwrap_or(name);
        let mut found = Vec::new();
        for file in sources(&start)? {
            let items = self.items(&file, last)?;
            let Some((_, lines, at)) = items.iter().find(|(other, ..)| other == name) else { continue };
            let path = file.strip_prefix(self.root).unwrap_or(&file).to_string_lossy().into_owned();
            found.push(Item { path, lines: *lines, at: *at });
        }
        match &found[..] {
            [item] => Ok(item.clone()),
            [] => bail!("there is no {name} in {place}"),
            several => {
                let paths: Vec<&str> = several.iter().map(|item| item.path.as_str()).collect();
                bail!("{name} is in several files: {}", paths.join(", "))
            }
        }
    }

    /// Returns the source of an item, without what says nothing to a reader: attributes for the compiler.
    pub(super) fn text(&self, item: &Item) -> Result<String> {
        const SILENT: [&str; 5] = ["#[inline", "#[must_use", "#[cold", "#[expect(", "#[derive("];
        let text = fs::read_to_string(self.root.join(&item.path))?;
        let (first, last) = item.lines;
        let lines: Vec<&str> = text.lines().skip(first - 1).take(last + 1 - first).collect();
        let indent = lines.iter().filter(|line| !line.trim().is_empty());
        let indent = indent.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
        let lines = lines.iter().filter(|line| !SILENT.iter().any(|start| line.trim().starts_with(start)));
        Ok(lines.map(|line| format!("{}\n", line.get(indent..).unwrap_or(""))).collect())
    }

    /// Returns the named items of a file; none if it does not contain `word`.
    fn items(&self, file: &Path, word: &str) -> Result<Rc<Vec<Named>>> {
        if let Some(items) = self.parsed.borrow().get(file) {
            return Ok(Rc::clone(items));
        }
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        if !text.contains(word) {
            return Ok(Rc::default());
        }
        let parsed = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        let mut named = Vec::new();
        parsed.items.iter().for_each(|item| collect(item, &mut named));
        let named = Rc::new(named);
        self.parsed.borrow_mut().insert(file.to_owned(), Rc::clone(&named));
        Ok(named)
    }
}

/// Lists the Rust files at or below a place, without those of tests.
fn sources(place: &Path) -> Result<Vec<PathBuf>> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "examples", "target", "exercises"].contains(&name.as_str()) {
            files.extend(sources(&path)?);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn collect(item: &syn::Item, named: &mut Vec<Named>) {
    let mut add = |name: String, all: proc_macro2::Span, ident: proc_macro2::Span| {
        named.push((name, (all.start().line, all.end().line), ident.start().line));
    };
    match item {
        syn::Item::Fn(item) => add(item.sig.ident.to_string(), item.span(), item.sig.ident.span()),
        syn::Item::Struct(item) => add(item.ident.to_string(), item.span(), item.ident.span()),
        syn::Item::Enum(item) => add(item.ident.to_string(), item.span(), item.ident.span()),
        syn::Item::Const(item) => add(item.ident.to_string(), item.span(), item.ident.span()),
        syn::Item::Static(item) => add(item.ident.to_string(), item.span(), item.ident.span()),
        syn::Item::Type(item) => add(item.ident.to_string(), item.span(), item.ident.span()),
        syn::Item::Trait(item) => {
            add(item.ident.to_string(), item.span(), item.ident.span());
            for part in &item.items {
                if let syn::TraitItem::Fn(method) = part {
                    let name = format!("{}::{}", item.ident, method.sig.ident);
                    add(name, method.span(), method.sig.ident.span());
                }
            }
        }
        syn::Item::Impl(item) => {
            let syn::Type::Path(path) = &*item.self_ty else { return };
            let Some(scope) = path.path.segments.last() else { return };
            for part in &item.items {
                if let syn::ImplItem::Fn(method) = part {
                    let name = format!("{}::{}", scope.ident, method.sig.ident);
                    add(name, method.span(), method.sig.ident.span());
                }
            }
        }
        syn::Item::Mod(module) => {
            let items = module.content.iter().flat_map(|(_, items)| items);
            items.for_each(|item| collect(item, named));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Items;
    use crate::project;

    #[test]
    fn an_item_is_found_wherever_it_is_below_a_place() {
        let root = project::root();
        let items = Items::new(&root);
        let item = items.find("osdk/src/book", "Items::find").expect("this file's function");
        assert_eq!(item.path, "osdk/src/book/items.rs");
        let text = items.text(&item).expect("its text");
        assert!(text.starts_with("/// Finds the item") && text.ends_with("}\n"), "{text}");
        assert!(text.contains("\n    let start = "), "not indented more than the function is: {text}");
    }

    #[test]
    fn what_is_missing_or_ambiguous_is_refused() {
        let root = project::root();
        let items = Items::new(&root);
        for (place, name, complaint) in [
            ("osdk/src/book", "Items::lose", "there is no Items::lose"),
            ("osdk/src/nowhere", "find", "there is no osdk/src/nowhere"),
            ("osdk/src", "command", "is in several files"),
        ] {
            let error = items.find(place, name).expect_err("no such item").to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
