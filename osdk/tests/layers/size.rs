//! Counts the lines of the core without tests, because it should be readable in a weekend.

use std::{fs, path::Path};

use syn::spanned::Spanned;

/// The folders of the core: the protocol, the objects and their system calls, and their rules. The structures of the
/// ABI (`rules/src/abi`) belong to all layers.
pub(crate) const CORE: [&str; 3] = ["core", "pollee/src", "rules/src/core"];

/// Counts the lines of a file without its `#[cfg(test)]` items. A file of tests alone has none.
pub(crate) fn lines(path: &Path) -> usize {
    let is_test = path.iter().any(|name| name == "tests" || name == "tests.rs");
    if is_test {
        return 0;
    }
    let text = fs::read_to_string(path).expect("a readable source file");
    let file = syn::parse_file(&text).expect("a file that parses");
    let tests = file.items.iter().filter(|item| is_for_tests(item)).map(|item| {
        let span = item.span();
        span.end().line + 1 - span.start().line
    });
    text.lines().count() - tests.sum::<usize>()
}

/// Whether an item is a module with an attribute such as `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_for_tests(item: &syn::Item) -> bool {
    let syn::Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg")
            && list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
    })
}

/// Formats a number with a space between thousands, as the documents write it.
pub(crate) fn spelled(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{} {:03}", number / 1000, number % 1000) }
}
