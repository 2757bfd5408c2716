//! The site that mdBook wrote: pages of the source beside it, and the check of its links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result};

/// Returns the page of a file: a picture stays itself. mdBook takes a link to Markdown for a chapter.
pub(super) fn page(path: &str) -> String {
    if is_picture(path) {
        return format!("source/{path}");
    }
    format!("source/{}.html", path.trim_end_matches(".md"))
}

fn is_picture(path: &str) -> bool {
    [".gif", ".png", ".svg"].iter().any(|end| path.ends_with(end))
}

/// Writes the page of a file of the project below `directory`; one of text has an anchor for each line.
pub(super) fn write_page(directory: &Path, root: &Path, path: &str) -> Result<()> {
    let page = directory.join(page(path));
    let place = page.parent().unwrap_or(directory);
    fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
    if is_picture(path) {
        fs::copy(root.join(path), &page).with_context(|| format!("cannot copy {path}"))?;
        return Ok(());
    }
    let text = fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
    let above = "../".repeat(path.matches('/').count() + 1);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{path}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<style>\n\
         body {{ font: 14px/1.45 monospace; margin: 1em; }}\nspan {{ white-space: pre-wrap; display: block; }}\n\
         a.n {{ color: #999; text-decoration: none; display: inline-block; width: 4em; }}\n\
         span:target {{ background: #fff3b0; }}\n\
         @media (prefers-color-scheme: dark) {{ body {{ background: #1d1f21; color: #ddd; }} span:target {{ background: #554b00; }}\n\
         a {{ color: #8cf; }} }}\n</style></head><body>\n<p><a href=\"{above}index.html\">The book</a> · {path}</p>\n"
    );
    for (nr, line) in text.lines().enumerate() {
        let nr = nr + 1;
        html.push_str(&format!(
            "<span id=\"L{nr}\"><a class=\"n\" href=\"#L{nr}\">{nr}</a>{}</span>\n",
            escaped(line)
        ));
    }
    html.push_str("</body></html>\n");
    fs::write(&page, html).with_context(|| format!("cannot write {}", page.display()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Lists the links of the pages that lead nowhere, and those that need the internet to show the page.
pub(super) fn broken(site: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    collect(site, &mut pages)?;
    let anchors: BTreeMap<&PathBuf, BTreeSet<&str>> =
        pages.iter().map(|(path, text)| (path, values(text, "id").collect())).collect();
    let mut complaints = Vec::new();
    for (path, text) in &pages {
        let name = path.strip_prefix(site).unwrap_or(path).display();
        let loaded = values(text, "src").filter(|target| target.contains("//"));
        complaints.extend(loaded.map(|target| format!("{name}: loads {target}")));
        for target in values(text, "href") {
            if target.contains("://") || target.starts_with("mailto:") || target.starts_with("data:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { resolved(path, file) };
            let is_there = if file.is_empty() || pages.contains_key(&to) {
                anchor.is_empty() || anchors.get(&to).is_some_and(|anchors| anchors.contains(anchor))
            } else {
                to.exists()
            };
            if !is_there {
                complaints.push(format!("{name}: leads to {target}, which is not there"));
            }
        }
    }
    Ok(complaints)
}

/// Reads the pages below a directory. Those that repeat all chapters, and the one for a server, are left out.
fn collect(directory: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    const REPEATED: [&str; 3] = ["print.html", "404.html", "toc.html"];
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if name.ends_with(".html") && !REPEATED.contains(&name.as_str()) {
            let text = fs::read_to_string(&path)?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Returns the values of an attribute in a page.
fn values<'a>(text: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(attribute).filter_map(move |(at, _)| {
        let before = text.as_bytes().get(at.checked_sub(1)?)?;
        let value = text.get(at + attribute.len()..)?.strip_prefix("=\"")?;
        before.is_ascii_whitespace().then(|| value.split('"').next())?
    })
}

/// Resolves the link `target` of the page `from`.
fn resolved(from: &Path, target: &str) -> PathBuf {
    let mut path = from.to_owned();
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{resolved, values};
    use std::path::Path;

    #[test]
    fn attributes_are_told_from_text() {
        let page = r#"<a href="a.html" id="beside">an id="y"</a> data-id="z""#;
        assert_eq!(values(page, "id").collect::<Vec<_>>(), ["beside", "y"]);
        assert_eq!(values(page, "href").collect::<Vec<_>>(), ["a.html"]);
    }

    #[test]
    fn links_are_relative_to_their_page() {
        assert_eq!(resolved(Path::new("a/b/c.html"), "../d.html"), Path::new("a/d.html"));
        assert_eq!(resolved(Path::new("a/c.html"), "./d/e.html"), Path::new("a/d/e.html"));
    }
}
