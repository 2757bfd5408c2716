//! Splits a path into names.
//!
//! Source: path_resolution(7); Linux 6.1 fs/namei.c (`link_path_walk`).

/// The longest name in a directory.
pub const NAME_MAX: usize = 255;

/// The longest path, its zero byte included.
pub const PATH_MAX: usize = 4096;

/// How many symbolic links one lookup follows.
pub const SYMLINKS_MAX: u32 = 40;

/// The first name of a path and what comes after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step<'a> {
    /// The name; `.` and `..` are names here.
    pub name: &'a [u8],
    /// The path from the next name on; empty if this was the last.
    pub rest: &'a [u8],
    /// Whether slashes follow, which demand a directory.
    pub slash: bool,
}

/// Takes the first name off `path`; slashes before it are skipped.
///
/// Returns `None` when no name is left: the path is empty or all slashes.
#[must_use]
pub fn first_step(path: &[u8]) -> Option<Step<'_>> {
    let path = without_leading_slashes(path);
    if path.is_empty() {
        return None;
    }
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let (name, after) = path.split_at(end);
    Some(Step { name, rest: without_leading_slashes(after), slash: !after.is_empty() })
}

fn without_leading_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    &path[start..]
}

#[cfg(test)]
mod tests {
    use super::{Step, first_step};

    #[test]
    fn repeated_slashes_count_as_one() {
        let step = Step { name: b"usr", rest: b"bin//sh", slash: true };
        assert_eq!(first_step(b"///usr///bin//sh"), Some(step));
    }

    #[test]
    fn the_last_name_remembers_the_slash_behind_it() {
        assert_eq!(first_step(b"a"), Some(Step { name: b"a", rest: b"", slash: false }));
        assert_eq!(first_step(b"a//"), Some(Step { name: b"a", rest: b"", slash: true }));
    }

    #[test]
    fn slashes_alone_hold_no_name() {
        assert_eq!(first_step(b""), None);
        assert_eq!(first_step(b"//"), None);
    }
}
