//! Builds the kernel and the programs of the guest, init among them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use pollux_protocol::job::{Job, JobList, Stdio};

use crate::{
    cli::{BuildOptions, Policy},
    exec,
    initramfs::Initramfs,
    project,
    toolchain::{self, Executable, Kind, Output},
};

/// The arguments for bare metal: cargo compiles the core libraries for the kernel as well.
pub(crate) const BARE_METAL: [&str; 4] = [
    "--release",
    "--target=x86_64-unknown-none",
    "-Zbuild-std=core,alloc,compiler_builtins",
    "-Zbuild-std-features=compiler-builtins-mem",
];

/// `pollux build`.
pub(crate) fn command(options: &BuildOptions) -> Result<ExitCode> {
    println!("{}", kernel(options.policy, Output::Full)?.display());
    println!("{}", initramfs()?.display());
    Ok(ExitCode::SUCCESS)
}

/// `pollux initramfs`.
pub(crate) fn initramfs_command() -> Result<ExitCode> {
    println!("{}", initramfs()?.display());
    Ok(ExitCode::SUCCESS)
}

/// Packs the tour for a machine without a host, to play on the console. OSDK.toml names the path.
pub(crate) fn initramfs() -> Result<PathBuf> {
    let guest = Path::new("/bin/tour");
    let argv = vec![c"/bin/tour".into()];
    let job = Job { argv, env: exec::environment(&[])?, timeout: None };
    let mut archive = Initramfs::new()?;
    archive.copy(&program("tour")?, guest)?;
    archive.init(&JobList { stdio: Stdio::Console, jobs: vec![job] })?;
    let path = project::products().join("initramfs.cpio");
    replace(&path, &archive.finish()?)?;
    Ok(path)
}

/// Builds the kernel and returns the file to boot.
pub(crate) fn kernel(policy: Policy, output: Output) -> Result<PathBuf> {
    let name = match policy {
        Policy::Hybrid => "kernel-hybrid",
        Policy::Stateful => "kernel-stateful",
        Policy::Stateless => "kernel-stateless",
    };
    let mut build = toolchain::cargo("", "build");
    build.args(BARE_METAL).args(["--package=pollux-kernel", features(policy)]);
    image(name, only(toolchain::executables(build, "the kernel", output)?)?)
}

/// Builds the kernel with its own tests, or those that `filter` names, in place of its start.
pub(crate) fn ktest_kernel(policy: Policy, filter: Option<&str>) -> Result<PathBuf> {
    let mut build = toolchain::cargo("", "build");
    build.args(BARE_METAL).args(["--package=pollux-kernel", features(policy)]);
    // These flags add to .cargo/config.toml. The build has its own directory, because other flags rebuild everything.
    build.args(["--config", "target.x86_64-unknown-none.rustflags = ['--cfg=ktest']"]);
    build.arg("--target-dir").arg(project::products().join("ktest"));
    match filter {
        Some(filter) => build.env("POLLUX_KTEST", filter),
        None => build.env_remove("POLLUX_KTEST"),
    };
    image("kernel-ktest", only(toolchain::executables(build, "the kernel's tests", Output::OnFailure)?)?)
}

/// Converts cargo's output to the file to boot.
fn image(name: &str, elf: PathBuf) -> Result<PathBuf> {
    let bytes = fs::read(&elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let image = project::products().join(name);
    replace(&image, &multiboot(bytes)?)?;
    Ok(image)
}

/// Returns cargo's arguments for the policy.
pub(crate) fn features(policy: Policy) -> &'static str {
    match policy {
        Policy::Hybrid => "--features=",
        Policy::Stateful => "--features=policy-stateful",
        Policy::Stateless => "--features=policy-stateless",
    }
}

/// Builds one of our guest programs, which are the same for both kernels.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let mut build = toolchain::cargo("tests", "build");
    build.args(["--release", "--bin", name]);
    only(toolchain::executables(build, name, Output::OnFailure)?)
}

/// Builds the tests of the crates that run on the host, the kit among them.
pub(crate) fn host_tests() -> Result<Vec<Executable>> {
    tests(toolchain::cargo("", "test"), "the host's tests")
}

/// Builds the model check of the Pollee. It has its own harness, and its exit status is its whole verdict.
pub(crate) fn model_check() -> Result<Vec<Executable>> {
    let mut build = explored("test", "loom");
    build.arg("--release");
    tests(build, "the model check")
}

/// Builds the Pollee's tests under a random scheduler.
pub(crate) fn random_schedules() -> Result<Vec<Executable>> {
    let mut build = explored("test", "shuttle");
    build.arg("--release");
    tests(build, "the random schedules")
}

/// Builds the model check of the frame allocator.
pub(crate) fn frames_model_check() -> Result<Vec<Executable>> {
    let mut build = toolchain::cargo("", "test");
    build.args(["--release", "--package=frames", "--features=loom", "--test=loom"]);
    tests(build, "the model check of the frame allocator")
}

/// A cargo command for the test of the Pollee under the scheduler of this name, which is a `cfg` of the whole build; in
/// a directory of its own, so that other builds stay valid.
pub(crate) fn explored(subcommand: &str, scheduler: &str) -> Command {
    let mut command = toolchain::cargo("", subcommand);
    command.args(["--package=pollee", "--test", scheduler]);
    // The variable would take precedence over the option.
    command.env_remove("RUSTFLAGS").args(["--config", &format!("build.rustflags = ['--cfg={scheduler}']")]);
    command.arg("--target-dir").arg(project::target().join(scheduler));
    command
}

/// Builds the guest's tests with these names, or all of them.
pub(crate) fn guest_tests(names: &[String]) -> Result<Vec<Executable>> {
    let mut build = toolchain::cargo("tests", "test");
    let names: Vec<&str> =
        if names.is_empty() { vec!["*"] } else { names.iter().map(String::as_str).collect() };
    build.args(names.iter().map(|name| format!("--test={name}")));
    tests(build, "the guest's tests")
}

/// Keeps the test programs, in the order of their names; cargo builds ordinary ones along with them.
fn tests(mut build: Command, what: &str) -> Result<Vec<Executable>> {
    build.arg("--no-run");
    let mut programs = toolchain::executables(build, what, Output::OnFailure)?;
    programs.retain(|program| program.kind == Kind::Test);
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

/// Marks the kernel's ELF file as one for 32 bits. QEMU's Multiboot loader takes 64-bit kernels only under
/// that machine number. It enters them in 32-bit mode, as OSTD's entry expects.
fn multiboot(mut elf: Vec<u8>) -> Result<Vec<u8>> {
    const E_MACHINE: usize = 18;
    const EM_386: [u8; 2] = [3, 0];
    match elf.get_mut(E_MACHINE..E_MACHINE + 2) {
        Some(machine) => machine.copy_from_slice(&EM_386),
        None => bail!("the kernel is no ELF file"),
    }
    Ok(elf)
}

/// Replaces a file atomically: a QEMU that reads the old one is not disturbed.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let draft = path.with_extension(std::process::id().to_string());
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&draft, bytes))
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the only program of a build.
pub(crate) fn only(mut executables: Vec<Executable>) -> Result<PathBuf> {
    match (executables.pop(), executables.is_empty()) {
        (Some(program), true) => Ok(program.path),
        _ => bail!("cargo did not build exactly one program"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiboot_changes_the_machine_number_alone() {
        let elf: Vec<u8> = (0..64).collect();
        let patched = multiboot(elf.clone()).unwrap_or_default();
        let differing: Vec<usize> = (0..64).filter(|&at| elf[at] != patched[at]).collect();
        assert_eq!((patched[18], patched[19], differing), (3, 0, vec![18, 19]));
    }

    #[test]
    fn a_file_too_short_for_an_elf_header_is_refused() {
        assert!(multiboot(vec![0; 19]).is_err());
    }
}
