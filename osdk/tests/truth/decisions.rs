//! Checks the form of the records in `kernel/decisions`, which its `README.md` describes.

use std::collections::{BTreeMap, BTreeSet};

/// A record: the name of its file, and its text.
pub(crate) type Record<'a> = (&'a str, &'a str);

/// Sections that every record has, in this order; others may stand around them.
const SECTIONS: [&str; 3] = ["## Decision", "## Alternatives", "## Costs"];

/// Lists the faults of the records and of their index.
///
/// `read` returns the text of a file of the project, or all texts of a directory.
pub(crate) fn check(
    records: &[Record<'_>],
    index: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = BTreeMap::new();
    let numbers: BTreeSet<&str> = records.iter().filter_map(|(name, _)| name.get(..4)).collect();
    for (name, text) in records {
        let mut say = |what: String| complaints.push(format!("kernel/decisions/{name}: {what}"));
        let number = name.get(..4).unwrap_or_default();
        if let Some(other) = seen.insert(number, name) {
            say(format!("the number is that of {other}, too"));
        }
        let title = text.lines().next().unwrap_or_default().strip_prefix("# ").unwrap_or_default();
        let words = title.strip_prefix(number).unwrap_or_default();
        if !words.starts_with(' ') {
            say(format!("the first line is not `# {number} Title`"));
        }
        if *name != format!("{number}-{}.md", slug(words)) {
            say(format!("the name is not that of the title, {number}-{}.md", slug(words)));
        }
        for problem in header(number, text, &numbers, &read) {
            say(problem);
        }
        let lines: Vec<&str> = text.lines().collect();
        let places: Vec<Option<usize>> =
            SECTIONS.iter().map(|section| lines.iter().position(|line| line == section)).collect();
        if !places.iter().all(Option::is_some) || !places.is_sorted() {
            say(format!("not all of {SECTIONS:?} are there, in this order"));
        }
        if !index.contains(&format!("\n- [{number}]({name}) {}\n", words.trim())) {
            say("kernel/decisions/README.md has no line with its number and title".to_owned());
        }
    }
    complaints
}

/// Lists the faults of the lines between the title and the first section.
fn header(
    number: &str,
    text: &str,
    numbers: &BTreeSet<&str>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("- ")).collect();
    let fields: Vec<(&str, &str)> = lines
        .iter()
        .map_while(|line| line.strip_prefix("- "))
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .collect();
    let [("Status", status), ("Date", date), ("Supersedes", older), ("Code", code)] = fields.as_slice()
    else {
        return vec!["the header is not Status, Date, Supersedes, Code".to_owned()];
    };
    let newer = status.strip_prefix("superseded by ");
    if *status != "accepted" && newer.is_none() {
        problems.push(format!("the status `{status}` is neither `accepted` nor `superseded by NNNN`"));
    }
    let related = newer.into_iter().chain(older.split(", ").filter(|older| *older != "none"));
    problems.extend(
        related.filter(|other| !numbers.contains(other)).map(|other| format!("there is no decision {other}")),
    );
    if date.len() != 10 || !date.chars().all(|c| c.is_ascii_digit() || c == '-') {
        problems.push(format!("the date `{date}` is not YYYY-MM-DD"));
    }
    let places: Vec<&str> = code.split(", ").map(|place| place.trim_matches('`')).collect();
    let texts: Vec<(&str, Option<String>)> = places.iter().map(|place| (*place, read(place))).collect();
    problems.extend(texts.iter().filter(|(_, text)| text.is_none()).map(|(place, _)| format!("no {place}")));
    let mention = format!("decision {number}");
    let is_linked = texts.iter().any(|(_, text)| text.as_ref().is_some_and(|text| text.contains(&mention)));
    if *status == "accepted" && !is_linked {
        problems.push(format!("none of its files says `{mention}`: {}", places.join(", ")));
    }
    problems
}

/// Converts a title to its form in a file's name.
fn slug(title: &str) -> String {
    let title = title.to_lowercase().replace(['\'', '/'], "").replace("re-", "re");
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[test]
fn a_record_of_the_right_form_is_accepted() {
    let text = "# 0001 Write it down\n\n- Status: accepted\n- Date: 2026-11-23\n- Supersedes: none\n\
                - Code: `a.rs`\n\n## Decision\n\n## Alternatives\n\n## Costs\n";
    let read = |place: &str| (place == "a.rs").then(|| "//! See decision 0001.".to_owned());
    let index = "\n- [0001](0001-write-it-down.md) Write it down\n";
    assert_eq!(check(&[("0001-write-it-down.md", text)], index, read), Vec::<String>::new());
    for (right, wrong) in [
        ("# 0001 ", "# "),
        ("down\n", "up\n"),
        ("accepted", "decided"),
        ("accepted", "superseded by 0002"),
        ("2026-11-23", "yesterday"),
        ("none", "0003"),
        ("`a.rs`", "`b.rs`"),
        ("- Date", "- Day"),
        ("## Costs", "## Price"),
    ] {
        let text = text.replacen(right, wrong, 1);
        assert!(!check(&[("0001-write-it-down.md", &text)], index, read).is_empty(), "{wrong}");
    }
    let twice = [("0001-write-it-down.md", text), ("0001-write-it-down.md", text)];
    assert!(!check(&twice, index, read).is_empty());
    assert!(!check(&[("0001-write-it-down.md", text)], "", read).is_empty());
    assert!(!check(&[("0001-write-it-down.md", text)], index, |_| Some(String::new())).is_empty());
}
