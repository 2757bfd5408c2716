//! The guest's tests, on each kernel and CPU count that the options name.
//!
//! Owns: which programs share a boot.   Not here: the boots (`batch`), tests that the host judges (`driven`).

use std::{collections::VecDeque, ffi::CString, fs, ops::Range, path::Path};

use anyhow::{Context, Result};
use pollux_protocol::job::Job;

use super::{
    LONG,
    report::{self, Ending},
};
use crate::{
    batch, build,
    cli::{HardwareOptions, Kernel, KernelOptions, TestOptions},
    dialogue, driven, exec, failures, image, impairment,
    initramfs::Initramfs,
    libtest::{self, Tally},
    machine::Machine,
    peer, script,
    toolchain::Executable,
    visited,
};

/// Tests that fork or count descriptors cannot share their process with others.
const ONE_AT_A_TIME: &str = "RUST_TEST_THREADS=1";

/// Returns the host's programs that a test program starts.
fn companions(program: &str) -> &'static [&'static str] {
    match program {
        "pty" => &[script::BUSYBOX],
        _ => &[],
    }
}

/// Runs the guest's tests, with one boot per run if no kernel goes down.
pub(super) fn run(runs: &[KernelOptions], options: &TestOptions) -> Result<Tally> {
    let is_driven = |name: &str| {
        driven::NAMES.contains(&name)
            || [dialogue::NAME, impairment::NAME, peer::NAME].contains(&name)
            || visited::ALL.iter().any(|visited| visited.name == name)
    };
    let named: Vec<_> = options.programs.iter().filter(|name| !is_driven(name)).cloned().collect();
    let all_or_some = options.programs.is_empty() || !named.is_empty();
    let programs = if all_or_some { build::guest_tests(&named)? } else { Vec::new() };
    let guest = |program: &Executable| Path::new("/tests").join(&program.name);
    let jobs = programs.iter().map(|program| job(&guest(program), options)).collect::<Result<Vec<_>>>()?;
    let lengths = programs.iter().map(|program| Ok(fs::metadata(&program.path)?.len()));
    let lengths = lengths.collect::<Result<Vec<_>>>()?;
    let mut files = Initramfs::new()?;
    for (host, guest) in &options.files.files {
        files.copy(host, guest)?;
    }
    let mut tests = driven::chosen(options);
    let mut last_files = files.clone();
    for test in &tests {
        test.pack(&mut last_files)?;
    }
    let mut total = Tally::default();
    if jobs.is_empty() && tests.is_empty() {
        return Ok(total);
    }
    for &kernel in runs {
        // The twin starts without a disk image.
        let boot = options.hardware.boot.filter(|_| kernel.on == Kernel::Pollux);
        let hardware = HardwareOptions { boot, ..options.hardware.clone() };
        let machine = Machine::prepare(kernel, &hardware)?;
        failures::start(&report::title(kernel));
        let mut driven_jobs = Vec::new();
        let mut asked = Vec::new();
        for test in &mut tests {
            if let Some(job) = test.job(kernel)? {
                driven_jobs.push(job);
                asked.push(test);
            }
        }
        let mut portions = portions(&lengths, boot.and_then(image::room));
        while let Some(portion) = portions.pop_front() {
            let is_last = portions.is_empty();
            let mut files = if is_last { last_files.clone() } else { files.clone() };
            for program in &programs[portion.clone()] {
                files.copy(&program.path, &guest(program))?;
                for file in companions(&program.name) {
                    files.copy_once(file.as_ref(), file.as_ref())?;
                }
            }
            let more = if is_last { &driven_jobs[..] } else { &[] };
            let jobs = [&jobs[portion.clone()], more].concat();
            batch::run(&machine, &files, &jobs, |index, record| {
                let index = portion.start + index;
                let mut ending = Ending::from(record.result);
                let Some(program) = programs.get(index) else {
                    let test = &mut asked[index - programs.len()];
                    let verdict = test.judge(kernel, &String::from_utf8_lossy(&record.stdout), ending.status);
                    if !verdict.remark.is_empty() {
                        println!("    {}", verdict.remark);
                    }
                    ending.note += &verdict.notes;
                    total += report::print(test.name(), verdict.tally, &[], &record.stderr, &ending);
                    return;
                };
                let tally = libtest::tally(&String::from_utf8_lossy(&record.stdout), ending.status);
                total += report::print(&program.name, tally, &record.stdout, &record.stderr, &ending);
            })?;
        }
    }
    Ok(total)
}

/// Divides the programs into boots: one boot for all, unless they exceed `room` bytes. Then the programs of driven
/// tests get the last boot to themselves.
fn portions(lengths: &[u64], room: Option<u64>) -> VecDeque<Range<usize>> {
    let mut portions = VecDeque::new();
    let Some(room) = room else {
        portions.push_back(0..lengths.len());
        return portions;
    };
    let (mut start, mut taken) = (0, 0);
    for (index, &length) in lengths.iter().enumerate() {
        if taken > 0 && taken + length > room {
            portions.push_back(start..index);
            (start, taken) = (index, 0);
        }
        taken += length;
    }
    portions.extend([start..lengths.len(), lengths.len()..lengths.len()]);
    portions
}

fn job(guest: &Path, options: &TestOptions) -> Result<Job> {
    let words = [guest.to_str()].into_iter().chain([options.filter.as_deref()]).flatten();
    let argv: Result<_, _> = words.map(CString::new).collect();
    let mut env = vec![ONE_AT_A_TIME.to_owned(), "RUST_BACKTRACE=1".to_owned()];
    env.extend(options.long.then(|| format!("{}={}", LONG.0, LONG.1)));
    let env = exec::environment(&env)?;
    Ok(Job { argv: argv.context("the filter contains a NUL byte")?, env, timeout: options.timeout.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_share_a_boot_while_there_is_room() {
        let all = portions(&[5, 5, 5], None);
        assert_eq!((all.len(), all.front()), (1, Some(&(0..3))));
        assert_eq!(portions(&[5, 5, 5, 1, 20, 1], Some(10)), [0..2, 2..4, 4..5, 5..6, 6..6]);
        assert_eq!(portions(&[], Some(10)), [0..0, 0..0]);
    }
}
