//! The stress test: runs Debian's unmodified stress-ng, which checks Pollux under load.
//!
//! Owns: the stressors and their time.   Not here: what counts as failed (tests/stress/script.sh).

use std::time::Duration;

use anyhow::Result;
use pollux_protocol::job::Job;

use crate::{
    cli::{Kernel, KernelOptions, TestOptions},
    debian,
    driven::{Driven, Verdict},
    initramfs::Initramfs,
    libtest, script,
};

/// Its name for `--test`.
pub(crate) const NAME: &str = "stress";

/// The program's path in its package, and in the guest.
const PROGRAM: &str = "usr/bin/stress-ng";

/// The package, with those of its dependencies whose libraries it loads and the kit's own tools do not bring.
const PACKAGES: [&str; 19] = [
    "stress-ng",
    "libapparmor1",
    "libbsd0",
    "libdrm2",
    "libegl1",
    "libexpat1",
    "libffi8",
    "libgbm1",
    "libgles2",
    "libglvnd0",
    "libipsec-mb1",
    "libjpeg62-turbo",
    "libjudydebian1",
    "libkmod2",
    "libmd0",
    "libsctp1",
    "libssl3",
    "libwayland-server0",
    "libxxhash0",
];

/// The stressors. They run one after the other, in two instances each.
const STRESSORS: [&str; 11] =
    ["fork", "pipe", "eventfd", "poll", "epoll", "sigfd", "timer", "timerfd", "futex", "switch", "fault"];

/// Seconds for each stressor, and in the long form.
const SHORT: u32 = 1;
const LONG: u32 = 60;

/// The overhead of a stressor in seconds, in emulation on a busy machine.
const BESIDES: u32 = 10;

/// The stress test, as the options select it.
pub(crate) struct Stress {
    seconds: u32,
    /// The number of CPUs to run with: the largest of all runs, because processes then meet in more ways.
    smp: u8,
}

impl Stress {
    pub(crate) fn new(options: &TestOptions) -> Self {
        let seconds = if options.long { LONG } else { SHORT };
        Self { seconds, smp: options.smp.iter().copied().max().unwrap_or(1) }
    }
}

impl Driven for Stress {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self, files: &mut Initramfs) -> Result<()> {
        let root = debian::fetch(NAME, &PACKAGES)?;
        script::pack(NAME, files)?;
        debian::pack(&root, PROGRAM, &[], files)
    }

    /// Skips Linux, which has passed: stress-ng judges by itself.
    fn job(&self, kernel: KernelOptions) -> Result<Option<Job>> {
        if kernel.on == Kernel::Linux || kernel.smp != self.smp {
            return Ok(None);
        }
        let seconds = self.seconds.to_string();
        let words = [&[&*seconds], &STRESSORS[..]].concat();
        let limit = (self.seconds + BESIDES) * STRESSORS.len() as u32;
        script::job(NAME, &words, Duration::from_secs(limit.into())).map(Some)
    }

    fn judge(&mut self, _: KernelOptions, stdout: &str, status: Option<u8>) -> Verdict {
        let count = |end: &str| {
            stdout.lines().filter(|line| line.starts_with("test ") && line.contains(end)).count() as u32
        };
        let mut tally =
            libtest::Tally { passed: count(" ... ok"), failed: count(" ... FAILED"), ..Default::default() };
        if status != Some(0) {
            tally.failed = tally.failed.max(1);
        }
        Verdict { tally, remark: String::new(), notes: stdout.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(stdout: &str, status: Option<u8>) -> (u32, u32) {
        let mut stress = Stress { seconds: 1, smp: 1 };
        let kernel = KernelOptions { on: Kernel::Pollux, smp: 1, policy: Default::default() };
        let tally = stress.judge(kernel, stdout, status).tally;
        (tally.passed, tally.failed)
    }

    #[test]
    fn each_stressor_is_a_case_and_a_kernel_that_goes_down_is_one_too() {
        assert_eq!(judge("test a ... ok\ntest b ... ok\n", Some(0)), (2, 0));
        assert_eq!(judge("test a ... ok\nwhy\ntest b ... FAILED: status 2\n", Some(1)), (1, 1));
        assert_eq!(judge("test a ... ok\n", None), (1, 1));
    }
}
