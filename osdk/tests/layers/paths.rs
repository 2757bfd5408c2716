//! Finds the paths that a Rust source file names, resolved to their first two modules.

use std::{fmt, path::Path};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    ItemMod, ItemUse, Macro, UseTree, VisRestricted,
    visit::{self, Visit},
};

/// A path, cut off after the second module.
pub(crate) struct Used {
    /// `crate`, or the name of another crate (or of something local, which looks the same).
    pub(crate) root: String,
    /// The first two modules below the root, as `core::event`; empty if there are none.
    pub(crate) module: String,
    pub(crate) line: usize,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.root, self.module)
    }
}

/// Returns the module path of a file, as names from the crate's root down.
pub(crate) fn module(place: &Path) -> Vec<String> {
    let mut names: Vec<String> = place.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if let Some(last) = names.pop() {
        let stem = last.trim_end_matches(".rs");
        if !["mod", "lib", "main"].contains(&stem) {
            names.push(stem.to_owned());
        }
    }
    names
}

/// Collects every path in the file: in `use` items, in code, and in the arguments of macros.
pub(crate) fn used(place: &Path, text: &str) -> syn::Result<Vec<Used>> {
    let mut finder = Finder { module: module(place), found: Vec::new() };
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.found)
}

struct Finder {
    /// The current module: the file's, and the inline modules around the item.
    module: Vec<String>,
    found: Vec<Used>,
}

impl Finder {
    /// Records a path, given its names.
    fn note(&mut self, names: &[String], span: Span) {
        let mut here = self.module.clone();
        let mut absolute = false;
        let mut rest = names;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => here.clear(),
                "self" => {}
                "super" => drop(here.pop()),
                _ => break,
            }
            absolute = true;
            rest = others;
        }
        let names: Vec<&String> =
            if absolute { here.iter().chain(rest).collect() } else { rest.iter().collect() };
        let line = span.start().line;
        let root = if absolute {
            "crate".to_owned()
        } else {
            names.first().map_or(String::new(), |name| (*name).clone())
        };
        let below = names.iter().skip(usize::from(!absolute)).take(2).map(|name| name.as_str());
        self.found.push(Used { root, module: below.collect::<Vec<_>>().join("::"), line });
    }

    fn tree(&mut self, before: &[String], tree: &UseTree, span: Span) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, path.ident.span()),
            UseTree::Name(name) => self.note(&with(&name.ident), name.ident.span()),
            UseTree::Rename(name) => self.note(&with(&name.ident), name.ident.span()),
            UseTree::Glob(_) => self.note(before, span),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item, span)),
        }
    }

    /// Finds `a::b` among the tokens of a macro call, which syn does not parse.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut names: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        names.clear();
                    }
                    names.push(name.to_string());
                    if names.len() > 1 {
                        self.note(&names, name.span());
                    }
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    names.clear();
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => names.clear(),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree, Span::call_site());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            let span = path.segments.first().map_or(Span::call_site(), |segment| segment.ident.span());
            self.note(&names, span);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
    }

    // `pub(in crate::a)` names an enclosing module, which is no import.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}
