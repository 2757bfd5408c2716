//! Warns when `cargo osdk` has resolved crates that differ from the checked-in lock file.

#[path = "src/lock.rs"]
mod lock;

use std::{env, fs, path::Path};

/// The variable that `cargo osdk` sets for the builds that it starts.
const OSDK: &str = "OSDK_BUILD_RUSTC";

/// The place of the base crate that `cargo osdk run` generates, relative to the project's root.
const RESOLVED: &str = "target/osdk/kernel-run-base/Cargo.lock";

fn main() {
    println!("cargo::rerun-if-env-changed={OSDK}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (resolved, locked) = (root.join(RESOLVED), root.join("Cargo.lock"));
    if env::var_os(OSDK).is_none() {
        return;
    }
    println!("cargo::rerun-if-changed={}", resolved.display());
    println!("cargo::rerun-if-changed={}", locked.display());
    let (Ok(resolved), Ok(locked)) = (fs::read_to_string(&resolved), fs::read_to_string(&locked)) else {
        println!("cargo::warning=cannot compare {RESOLVED} with Cargo.lock: a file is missing");
        return;
    };
    let strangers = lock::strangers(&resolved, &locked);
    if !strangers.is_empty() {
        println!("cargo::warning=built with crates that Cargo.lock does not have: {}", strangers.join(", "));
        println!("cargo::warning=`make build` builds with those that it has");
    }
}
