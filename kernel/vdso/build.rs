//! Builds the image, which is a program of Linux's and not of the kernel's: for the target of the host's libraries.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo::rerun-if-changed=image");
    println!("cargo::rerun-if-changed=src/data.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let object = out.join("vdso.o");
    let mut compile = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    compile.args(["--crate-name=vdso", "--crate-type=lib", "--edition=2024", "--emit=obj", "-Cpanic=abort"]);
    compile.args([
        "-Copt-level=3",
        "-Ccodegen-units=1",
        "-Crelocation-model=pic",
        "-Cforce-unwind-tables=yes",
    ]);
    compile.args(["--target", TARGET, "-o"]).arg(&object).arg("image/vdso.rs");
    run(compile);
    let mut link = Command::new("cc");
    link.args(["-shared", "-nostdlib", "-Wl,--no-undefined,--hash-style=both,--build-id=none"]);
    link.args(["-Wl,-soname=linux-vdso.so.1,-z,max-page-size=4096,-z,noexecstack,-z,norelro"]);
    link.arg("-Wl,--eh-frame-hdr").arg(format!("-Wl,--script={}", Path::new("image/vdso.lds").display()));
    link.arg("-o").arg(out.join("vdso.so")).arg(&object);
    run(link);
}

fn run(mut command: Command) {
    let status = command.status().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}
