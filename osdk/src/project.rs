//! The project's directories. Everything that the kit makes is below `target/`.

use std::path::PathBuf;

/// Returns the directory with the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let kit = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    kit.parent().map(PathBuf::from).unwrap_or(kit)
}

/// Cargo's output directory.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Returns the directory of what the kit makes, rather than cargo.
pub(crate) fn products() -> PathBuf {
    target().join("pollux")
}
