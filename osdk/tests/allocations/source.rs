//! The allocations in a Rust source file that cannot fail.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Expr, ExprCall, ExprMethodCall, ImplItemFn, ItemFn, ItemMod, Macro,
    visit::{self, Visit},
};

/// Methods that allocate, or may: a list grows unless it has room.
const METHODS: [&str; 21] = [
    "append",
    "collect",
    "concat",
    "extend",
    "extend_from_slice",
    "insert",
    "into_boxed_slice",
    "or_default",
    "or_insert",
    "or_insert_with",
    "push",
    "push_back",
    "push_front",
    "push_str",
    "reserve",
    "resize",
    "to_owned",
    "to_string",
    "to_vec",
    "try_reserve",
    "try_reserve_exact",
];

/// Functions that allocate, by their last two names.
const FUNCTIONS: [&str; 13] = [
    "Arc::from",
    "Arc::new",
    "Arc::new_cyclic",
    "Box::from",
    "Box::new",
    "Rc::new",
    "String::from",
    "String::from_utf8_lossy",
    "String::with_capacity",
    "Vec::from",
    "Vec::with_capacity",
    "VecDeque::from",
    "VecDeque::with_capacity",
];

/// Macros that allocate.
const MACROS: [&str; 2] = ["format", "vec"];

/// Callees that are not the heap's: `fallible::push` asks first.
const ASKING: &str = "fallible";

/// The Rust files below a directory without tests.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| !path.ends_with("tests") && !path.ends_with("tests.rs"))
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The operations of a file that may allocate and cannot fail, tests apart.
pub(crate) fn allocations(text: &str) -> syn::Result<Vec<String>> {
    let mut finder = Finder::default();
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.found)
}

#[derive(Default)]
struct Finder {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let name = call.method.to_string();
        if METHODS.contains(&name.as_str()) {
            self.found.push(name);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let names: Vec<String> =
                path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let last = names[names.len().saturating_sub(2)..].join("::");
            if FUNCTIONS.contains(&last.as_str()) && !last.starts_with(ASKING) {
                self.found.push(last);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let name = called.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if MACROS.contains(&name.as_str()) {
            self.found.push(format!("{name}!"));
        }
        // The arguments of most macros are expressions.
        let parser = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = called.parse_body_with(parser) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            ["test", "ktest"].contains(&words.as_str())
                || words.starts_with("all (test")
                || words.starts_with("all(test")
        }
        _ => false,
    })
}
