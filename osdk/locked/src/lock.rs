//! Compares lock files: packages and their versions. The build script uses it.

use std::{collections::BTreeSet, string::String, vec::Vec};

/// Returns the registry packages of `resolved` that `locked` lacks in the same version, each as `name version`.
pub(crate) fn strangers(resolved: &str, locked: &str) -> Vec<String> {
    let locked = packages(locked);
    packages(resolved).into_iter().filter(|package| !locked.contains(package)).collect()
}

/// Returns the packages that have a source. Packages of the workspace have none.
fn packages(lock: &str) -> BTreeSet<String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
        Some(String::from(line.trim_end_matches('"')))
    };
    let packages = lock.split("[[package]]").filter(|package| value(package, "source").is_some());
    packages.filter_map(|package| Some(value(package, "name")? + " " + &value(package, "version")?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = r#"
version = 4

[[package]]
name = "kernel"
version = "0.1.0"

[[package]]
name = "spin"
version = "0.9.8"
source = "registry+https://example.org"
dependencies = ["lock_api"]
"#;

    #[test]
    fn the_same_versions_are_no_strangers() {
        assert_eq!(strangers(LOCKED, LOCKED), Vec::<String>::new());
    }

    #[test]
    fn another_version_and_another_package_are() {
        let resolved = LOCKED.replace("0.9.8", "0.9.9")
            + "\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"r\"\n";
        assert_eq!(strangers(&resolved, LOCKED), ["spin 0.9.9", "x 1.0.0"]);
    }

    #[test]
    fn packages_of_the_workspace_do_not_matter() {
        assert_eq!(strangers(&LOCKED.replace("0.1.0", "0.2.0"), LOCKED), Vec::<String>::new());
    }
}
