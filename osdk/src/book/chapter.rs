//! Expands a chapter: directives, links into the source, and the check of the numbers in its prose.
//!
//! | directive | becomes |
//! |---|---|
//! | `{{#item PLACE NAME}}` | the source of an item, with a link to its page (`items`) |
//! | `{{#bench count ROW N KERNEL}}` and others | a figure of the record (`numbers`) |
//! | `{{#elsewhere count ROW N KERNEL}}` and others | a figure that was measured on another kernel |
//! | `{{#cite NNNN TEXT}}` | the text, which decision record NNNN must contain |
//! | `{{#lines PLACE}}` | the number of lines of the Rust files there |
//!
//! A link `item://PLACE#NAME` leads to the item's line on its page; a link to a file outside of the book leads to its page.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{items::Items, numbers::Record, prose, site};

/// In a chapter, this says that its numbers are settings, which nobody measures.
const SETTINGS: &str = "<!-- settings:";

/// What the chapters are expanded from.
pub(super) struct Reader<'a> {
    pub(super) root: &'a Path,
    pub(super) items: &'a Items<'a>,
    pub(super) record: &'a Record,
    pub(super) elsewhere: &'a Record,
}

/// An expanded chapter.
#[derive(Default)]
pub(super) struct Chapter {
    pub(super) text: String,
    /// The files that need a page of their own, because the chapter leads to them.
    pub(super) sources: BTreeSet<String>,
    pub(super) complaints: Vec<String>,
}

impl Reader<'_> {
    /// Expands the chapter at `path`.
    pub(super) fn chapter(&self, path: &str, text: &str) -> Chapter {
        let mut chapter = Chapter::default();
        let mut is_code = false;
        let is_measured = !text.contains(SETTINGS);
        for (nr, line) in text.lines().enumerate() {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            if is_code || is_fence {
                chapter.text.push_str(&format!("{line}\n"));
                continue;
            }
            for number in is_measured.then(|| bare(line)).iter().flat_map(|line| self.unborne(line)) {
                let complaint = format!("{path}:{}: nothing bears the number {number}", nr + 1);
                chapter.complaints.push(complaint);
            }
            let expanded = self.directives(line, &mut chapter.sources);
            match expanded.and_then(|line| self.links(path, &line, &mut chapter.sources)) {
                Ok(line) => chapter.text.push_str(&format!("{line}\n")),
                Err(error) => chapter.complaints.push(format!("{path}:{}: {error:#}", nr + 1)),
            }
        }
        chapter
    }

    fn unborne(&self, line: &str) -> Vec<String> {
        prose::unborne(line, |n| self.record.is_size(n) || self.elsewhere.is_size(n))
    }

    fn directives(&self, line: &str, sources: &mut BTreeSet<String>) -> Result<String> {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{{#") {
            let (directive, after) = after.split_once("}}").context("a directive without end")?;
            text.push_str(before);
            text.push_str(
                &self.directive(directive, sources).with_context(|| format!("{{{{#{directive}}}}}"))?,
            );
            rest = after;
        }
        Ok(text + rest)
    }

    fn directive(&self, directive: &str, sources: &mut BTreeSet<String>) -> Result<String> {
        let words: Vec<&str> = directive.split_whitespace().collect();
        match &words[..] {
            ["item", place, name] => {
                let item = self.items.find(place, name)?;
                let link = format!("[`{name}`]({}#L{}), {}", site::page(&item.path), item.at, item.path);
                let code = self.items.text(&item)?;
                sources.insert(item.path);
                Ok(format!("```rust,ignore\n{code}```\n\n<div class=\"place\">\n\n{link}\n\n</div>"))
            }
            ["bench", rest @ ..] => self.record.expand(rest),
            ["elsewhere", rest @ ..] => self.elsewhere.expand(rest),
            ["cite", number, ..] => {
                let (_, text) = directive.split_once(number).unwrap_or_default();
                self.cite(number, text.trim())
            }
            ["lines", place] => Ok(self.lines(&self.root.join(place))?.to_string()),
            _ => bail!("an unknown directive"),
        }
    }

    /// Returns `text`, if the decision record contains it.
    fn cite(&self, number: &str, text: &str) -> Result<String> {
        let directory = self.root.join("kernel/decisions");
        let names = fs::read_dir(&directory)?.filter_map(|entry| Some(entry.ok()?.file_name()));
        let mut names = names.map(|name| name.to_string_lossy().into_owned());
        let name = names.find(|name| name.starts_with(number)).context("no such decision")?;
        let record = fs::read_to_string(directory.join(name))?;
        let record = record.split_whitespace().collect::<Vec<_>>().join(" ");
        if !record.contains(text) {
            bail!("the record does not say so");
        }
        Ok(text.to_owned())
    }

    fn lines(&self, place: &Path) -> Result<usize> {
        if place.is_file() {
            return Ok(fs::read_to_string(place)?.lines().count());
        }
        let mut lines = 0;
        for entry in fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))? {
            let path = entry?.path();
            if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
                lines += self.lines(&path)?;
            }
        }
        Ok(lines)
    }

    /// Turns links to items and to files outside of the book into links to their pages.
    fn links(&self, chapter: &str, line: &str, sources: &mut BTreeSet<String>) -> Result<String> {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').context("a link without end")?;
            text.push_str(&format!("{before}]({})", self.target(chapter, target, sources)?));
            rest = after;
        }
        Ok(text + rest)
    }

    fn target(&self, chapter: &str, target: &str, sources: &mut BTreeSet<String>) -> Result<String> {
        if let Some(item) = target.strip_prefix("item://") {
            let (place, name) = item.split_once('#').context("an item without a name")?;
            let item = self.items.find(place, name)?;
            let link = format!("{}#L{}", site::page(&item.path), item.at);
            sources.insert(item.path);
            return Ok(link);
        }
        let Some(up) = target.strip_prefix("../") else { return Ok(target.to_owned()) };
        // Chapters lie in kernel/book/src.
        let path = match up.strip_prefix("../").map(|up| (up, up.strip_prefix("../"))) {
            None => format!("kernel/book/{up}"),
            Some((up, None)) => format!("kernel/{up}"),
            Some((_, Some(up))) => up.to_owned(),
        };
        let path = path.split('#').next().unwrap_or_default();
        if !self.root.join(path).is_file() {
            bail!("{chapter} leads to {path}, which is no file");
        }
        sources.insert(path.to_owned());
        Ok(site::page(path))
    }
}

/// Returns a line without directives, code and the targets of links.
fn bare(line: &str) -> String {
    let without = |line: &str, start: &str, end: &str, instead: &str| {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(start) {
            let Some((_, after)) = after.split_once(end) else { break };
            text.push_str(before);
            text.push_str(instead);
            rest = after;
        }
        text + rest
    };
    let line = without(line, "{{#", "}}", "figure");
    let line = without(&line, "`", "`", "code");
    let line = without(&line, "<", ">", "");
    without(&line, "](", ")", "")
}

#[cfg(test)]
mod tests {
    use super::{Items, Reader, Record};
    use crate::project;

    fn expanded(text: &str) -> super::Chapter {
        let root = project::root();
        let record = r#"{"row":"a","n":0,"kernel":"hybrid","unit":"instructions","median":213}"#;
        let record = format!(r#"{{"date":"2026-11-29","machine":"m","results":[{record}]}}"#);
        let record = Record::parse(&record).expect("a record");
        let items = Items::new(&root);
        let reader = Reader { root: &root, items: &items, record: &record, elsewhere: &record };
        reader.chapter("kernel/book/src/x.md", text)
    }

    #[test]
    fn figures_and_items_are_expanded() {
        let chapter = expanded("A call costs {{#bench count a hybrid}}.");
        assert_eq!((&*chapter.text, chapter.complaints.len()), ("A call costs 213.\n", 0));
        let chapter =
            expanded("[here](item://osdk/src/book#Reader::target) and [there](../../../osdk/src/book.rs)");
        assert!(
            chapter.text.starts_with("[here](source/osdk/src/book/chapter.rs.html#L"),
            "{}",
            chapter.text
        );
        assert!(chapter.text.ends_with("(source/osdk/src/book.rs.html)\n"), "{}", chapter.text);
        assert_eq!(chapter.sources.len(), 2);
    }

    #[test]
    fn what_nothing_bears_is_a_complaint() {
        for text in [
            "It costs 213 instructions.",
            "{{#bench count b hybrid}}",
            "{{#cite 0062 no such words}}",
            "{{#item osdk/src/book Reader::nothing}}",
            "[gone](../../nowhere.rs)",
            "[gone](item://osdk/src/book#Nothing)",
        ] {
            assert_eq!(expanded(text).complaints.len(), 1, "{text}");
        }
    }

    #[test]
    fn code_in_fences_stays_as_it_is() {
        let text = "```text\n213 instructions {{#x}}\n```\n";
        assert_eq!(expanded(text).text, text);
    }
}
