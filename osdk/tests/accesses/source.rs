//! The atomic accesses that a Rust source file makes.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Expr, ExprCall, ExprMethodCall, ImplItemFn, ItemFn, ItemMod, Meta,
    punctuated::Punctuated,
    token::Comma,
    visit::{self, Visit},
};

/// The operations of the word that touch it, called on a field or variable `word`, or by one of them on `self`.
const OF_THE_WORD: [&str; 11] = [
    "events",
    "update_events",
    "notify_events",
    "clear_events",
    "replace_late",
    "watch",
    "unwatch",
    "load",
    "load_relaxed",
    "fence_and_load",
    "rewrite",
];

/// Where an access is, and what it does.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Access {
    pub(crate) file: String,
    pub(crate) function: String,
    /// As `fetch_or(AcqRel)` of an atomic variable, or `word.watch`.
    pub(crate) operation: String,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.file, self.function, self.operation)
    }
}

/// The Rust files below a directory but the seeded faults, whose switch is no part of the protocol.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| !path.ends_with("fault.rs") && !path.ends_with("tests.rs"))
        .collect()
}

/// The accesses of a file, tests apart.
pub(crate) fn accesses(file: &str, text: &str) -> syn::Result<Vec<Access>> {
    let mut finder = Finder { file: file.to_owned(), function: String::new(), found: Vec::new() };
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.found)
}

struct Finder {
    file: String,
    function: String,
    found: Vec<Access>,
}

impl Finder {
    fn note(&mut self, operation: String) {
        self.found.push(Access { file: self.file.clone(), function: self.function.clone(), operation });
    }

    fn within(&mut self, function: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, function.to_string());
        visit(self);
        self.function = outer;
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.within(&item.sig.ident, |finder| visit::visit_item_fn(finder, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.within(&item.sig.ident, |finder| visit::visit_impl_item_fn(finder, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let name = call.method.to_string();
        let orderings = orderings(&call.args);
        let receiver = last_name(&call.receiver);
        let is_own = receiver == "self" && self.file == "word.rs";
        if !orderings.is_empty() {
            self.note(format!("{name}({})", orderings.join(", ")));
        } else if (receiver == "word" || is_own) && OF_THE_WORD.contains(&name.as_str()) {
            self.note(format!("{receiver}.{name}"));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let orderings = orderings(&call.args);
        if !orderings.is_empty() {
            self.note(format!("{}({})", last_name(&call.func), orderings.join(", ")));
        }
        visit::visit_expr_call(self, call);
    }
}

/// The names of the orderings among a call's arguments.
fn orderings(arguments: &Punctuated<Expr, Comma>) -> Vec<String> {
    let paths = arguments.iter().filter_map(|argument| match argument {
        Expr::Path(path) => Some(&path.path),
        _ => None,
    });
    paths
        .filter(|path| path.segments.iter().rev().nth(1).is_some_and(|segment| segment.ident == "Ordering"))
        .filter_map(|path| path.segments.last().map(|segment| segment.ident.to_string()))
        .collect()
}

/// The field or variable that an expression ends with.
fn last_name(expression: &Expr) -> String {
    match expression {
        Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => None,
        },
        _ => None,
    }
    .unwrap_or_default()
}

fn is_for_tests(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            words == "test" || words.starts_with("all (test") || words.starts_with("all(test")
        }
        _ => false,
    }
}
