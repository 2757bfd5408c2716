//! Splits Rust source into its comments and its code.

/// A comment, or a line of one, without its slashes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A source file, taken apart.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) comments: Vec<Comment>,
    /// The code. Blanks replace literals, so that their text is not taken for code.
    pub(crate) code: String,
}

/// Splits `text`. Each line of a block comment is a comment of its own.
pub(crate) fn split(text: &str) -> Source {
    let mut source = Source::default();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = token(rest, first);
        let (token, after) = rest.split_at(length);
        match kind {
            Kind::Comment => {
                for (nr, text) in token.lines().enumerate() {
                    let text = text.trim_start().trim_start_matches(['/', '*', '!']);
                    source.comments.push(Comment { line: line + nr, text: text.trim().to_owned() });
                }
            }
            Kind::Literal => source.code.push(' '),
            Kind::Code => source.code.push_str(token),
        }
        line += token.matches('\n').count();
        rest = after;
    }
    source
}

enum Kind {
    Comment,
    Literal,
    Code,
}

/// Returns the length and kind of the token at the start of `rest`.
fn token(rest: &str, first: char) -> (usize, Kind) {
    let until = |end: &str, from: usize| {
        rest.get(from..).and_then(|tail| tail.find(end)).map_or(rest.len(), |at| from + at)
    };
    if rest.starts_with("//") {
        return (until("\n", 2), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return ((until("*/", 2) + 2).min(rest.len()), Kind::Comment);
    }
    if first == '"' {
        return (quoted(rest), Kind::Literal);
    }
    if first.is_alphanumeric() || first == '_' {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return raw_string(rest, word).map_or((word, Kind::Code), |length| (length, Kind::Literal));
    }
    if first == '\'' {
        return character(rest).map_or((1, Kind::Code), |length| (length, Kind::Literal));
    }
    (first.len_utf8(), Kind::Code)
}

/// Returns the length of a string with its quotes.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Returns the length of a raw string (`r"…"`, `br#"…"#`) whose prefix has `word` letters.
fn raw_string(rest: &str, word: usize) -> Option<usize> {
    let (prefix, tail) = rest.split_at(word);
    if !["r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let body = tail.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(word + hashes + 1 + body.find(&end)? + end.len())
}

/// Returns the length of a character with its quotes; `None` if it is a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest.char_indices().skip(1);
    let (_, first) = inside.next()?;
    if first == '\\' {
        let (at, _) = inside.nth(1)?;
        return rest.get(at..)?.find('\'').map(|end| at + end + 1);
    }
    let (at, second) = inside.next()?;
    (second == '\'').then_some(at + 1)
}

#[test]
fn comments_are_told_from_strings() {
    let source = split("let a = \"// no\"; // yes\n/* b\n * c */ r#\"// \" no\"# '\"' x: &'a str '\\'' // d");
    let comments: Vec<(usize, &str)> = source.comments.iter().map(|c| (c.line, c.text.as_str())).collect();
    assert_eq!(comments, [(1, "yes"), (2, "b"), (3, "c */"), (3, "d")]);
    assert!(source.code.contains("str") && !source.code.contains("no"), "{}", source.code);
}
