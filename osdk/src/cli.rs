//! The command line: what can be said, and what it means.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Build, run and test the Pollux kernel.
#[derive(Parser)]
#[command(name = "osdk/pollux", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build the kernel, and the initramfs that `cargo osdk run` takes
    Build(BuildOptions),
    /// Run one Linux program in the guest and exit with its status
    Exec(Box<ExecOptions>),
    /// Play the tour: pipes, eventfds and epoll at work, with the counters behind them
    Run(Box<RunOptions>),
    /// Run the tests: the host's, then the guest's on Linux and on Pollux
    Test(Box<TestOptions>),
    /// Measure system calls on Linux and on Pollux with each policy
    Bench(Box<BenchOptions>),
    /// Say where the kernel's instructions go while a program runs
    Profile(Box<ProfileOptions>),
    /// Prove the protocols of the Pollee for any number of threads
    Proof,
    /// Check format, lints, documentation and the direction of imports
    Check,
    /// Make disk images with the tour that a machine starts from: target/pollux-bios.img and -uefi.img
    Image(ImageOptions),
    /// Pack the initramfs that `cargo osdk run` takes: the tour, on the console
    Initramfs,
}

#[derive(Args)]
pub(crate) struct BuildOptions {
    /// How the Pollee keeps events
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: Policy,
}

#[derive(Args)]
pub(crate) struct ImageOptions {
    /// How the Pollee keeps events
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: Policy,
    /// Add to the kernel's command line (may be repeated)
    #[arg(long, value_name = "WORD")]
    pub(crate) append: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ExecOptions {
    #[command(flatten)]
    pub(crate) guest: GuestOptions,
    /// Add to the program's environment (may be repeated)
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) env: Vec<String>,
    /// Bring the shared libraries along that ldd names, for a program that is not static
    #[arg(long)]
    pub(crate) with_libs: bool,
    /// A static x86_64 Linux program on the host
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) guest: GuestOptions,
}

#[derive(Args)]
pub(crate) struct TestOptions {
    /// Where; on Linux, which only proves the tests right, they run once, with the last CPU count
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Place::ALL)]
    pub(crate) on: Vec<Place>,
    /// The CPU counts
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 2], value_parser = cpus())]
    pub(crate) smp: Vec<u8>,
    /// How the Pollee keeps events (no meaning on Linux)
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Policy::Hybrid])]
    pub(crate) policy: Vec<Policy>,
    #[command(flatten)]
    pub(crate) hardware: HardwareOptions,
    #[command(flatten)]
    pub(crate) files: FileOptions,
    /// Run these of the guest's test programs only (may be repeated)
    #[arg(long = "test", value_name = "NAME")]
    pub(crate) programs: Vec<String>,
    /// Run the test cases with this in their name only
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Start disk images on machines of all sizes, which takes minutes
    #[arg(long)]
    pub(crate) all_machines: bool,
    /// Let the tests that have a long form run it: they find POLLUX_LONG=1 in their environment
    #[arg(long)]
    pub(crate) long: bool,
    /// End a test program that takes longer
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub(crate) timeout: Timeout,
    /// Where the random operations of the differential test and the fuzz begin
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many random operations are compared with Linux's, and a fifth of the fuzz's calls; 0 for neither
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(crate) operations: u64,
}

#[derive(Args, Clone)]
pub(crate) struct BenchOptions {
    /// Measure less, in under three minutes
    #[arg(long)]
    pub(crate) quick: bool,
    /// Compare with the recorded costs instead, and fail if one has risen by more than 3 %
    #[arg(long)]
    pub(crate) check: bool,
    /// Record the costs that --check compares with
    #[arg(long, conflicts_with = "check")]
    pub(crate) record: bool,
    /// Count instructions only
    #[arg(long)]
    pub(crate) no_wall: bool,
    /// The kernels to compare
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kernel::Linux, Kernel::Pollux])]
    pub(crate) on: Vec<Kernel>,
    /// How the Pollee keeps events (no meaning on Linux)
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Policy::Hybrid, Policy::Stateful, Policy::Stateless])]
    pub(crate) policy: Vec<Policy>,
    /// Measure this group of rows only (may be repeated)
    #[arg(long = "group", value_name = "NAME")]
    pub(crate) groups: Vec<String>,
    #[command(flatten)]
    pub(crate) hardware: HardwareOptions,
}

#[derive(Args)]
pub(crate) struct ProfileOptions {
    #[command(flatten)]
    pub(crate) kernel: KernelOptions,
    #[command(flatten)]
    pub(crate) hardware: HardwareOptions,
    /// Let the program run freely for so long first
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) after: Timeout,
    /// Look at so many instructions
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) count: u64,
    /// Count an inlined function's instructions with the function that it is part of
    #[arg(long)]
    pub(crate) whole: bool,
    /// Print so many functions
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub(crate) lines: usize,
    /// A static x86_64 Linux program on the host, which should run for ever
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// A guest that runs one program.
#[derive(Args, Clone)]
pub(crate) struct GuestOptions {
    #[command(flatten)]
    pub(crate) kernel: KernelOptions,
    #[command(flatten)]
    pub(crate) hardware: HardwareOptions,
    #[command(flatten)]
    pub(crate) files: FileOptions,
    /// End a program that takes longer, with status 124; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) timeout: Timeout,
    /// Say how long the guest took to boot, by our clock, and the program to run, by the guest's
    #[arg(long)]
    pub(crate) time: bool,
    /// Write the kernel's log to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// What the tests are repeated over.
#[derive(Args, Clone, Copy)]
pub(crate) struct KernelOptions {
    /// The kernel to run on
    #[arg(long, value_enum, default_value_t, env = "POLLUX_ON")]
    pub(crate) on: Kernel,
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = cpus(), env = "POLLUX_SMP")]
    pub(crate) smp: u8,
    /// How the Pollee keeps events (no meaning on Linux)
    #[arg(long, value_enum, default_value_t, env = "POLLUX_POLICY")]
    pub(crate) policy: Policy,
}

/// The machine under the kernel.
#[derive(Args, Clone)]
pub(crate) struct HardwareOptions {
    /// Size of the memory, as 512M or 3G
    #[arg(long, value_name = "SIZE", default_value = "3G", value_parser = size)]
    pub(crate) mem: Mebibytes,
    /// CPU model, in QEMU's words [default: max]
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Start from a disk image by this firmware; without it QEMU loads the kernel itself
    #[arg(long, value_enum)]
    pub(crate) boot: Option<Firmware>,
    /// Add to the kernel's command line, as in `--append trace=syscalls` (may be repeated)
    #[arg(long, value_name = "WORD")]
    pub(crate) append: Vec<String>,
    /// Count instructions: one CPU, and one nanosecond of guest time for each instruction
    #[arg(long)]
    pub(crate) icount: bool,
    /// Run on the host's processor where it can, which is fast and cannot count
    #[arg(skip)]
    pub(crate) kvm: bool,
    /// Boot this kernel file instead: an ELF kernel for Pollux, a bzImage for Linux
    #[arg(long = "kernel", value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// Give the guest a network card, on QEMU's user network
    #[arg(long)]
    pub(crate) net: bool,
    /// Pass connections to the host's port HOST on to the guest's port GUEST; HOST 0 is one that is free, which is
    /// said. Gives the guest a network card (may be repeated)
    #[arg(long = "forward", value_name = "HOST:GUEST", value_parser = ports)]
    pub(crate) forwards: Vec<(u16, u16)>,
    /// Wait for gdb on TCP port 1234 before the first instruction
    #[arg(long)]
    pub(crate) gdb: bool,
}

/// Files of the host that the guest gets.
#[derive(Args, Clone)]
pub(crate) struct FileOptions {
    /// Put the host's file HOST into the guest as GUEST (may be repeated)
    #[arg(long = "file", value_name = "HOST:GUEST", value_parser = file)]
    pub(crate) files: Vec<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// This project's
    #[default]
    Pollux,
    /// Debian's Linux 6.1, for comparison
    Linux,
}

/// What a machine starts a disk with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firmware {
    /// SeaBIOS, as PCs had it until about 2012, and many a cloud
    Bios,
    /// OVMF, as PCs have it since
    Uefi,
}

/// Where tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// The tests of the crates that need no kernel, here
    Host,
    /// The tests inside the kernel, with one CPU
    Kernel,
    /// The tour from disk images, by BIOS and by UEFI
    Images,
    /// The guest's tests, on the twin
    Linux,
    /// The guest's tests, on this project's kernel
    Pollux,
}

impl Place {
    const ALL: [Self; 5] = [Self::Host, Self::Kernel, Self::Images, Self::Linux, Self::Pollux];
}

/// Which Pollee the kernel is built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Policy {
    /// Keeps what somebody asked for
    #[default]
    Hybrid,
    /// Keeps exact events always
    Stateful,
    /// Keeps nothing and computes at each poll
    Stateless,
}

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Option<Duration>);

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mebibytes(pub(crate) u64);

/// The first paragraph of a text, as one line and without the word that opens it.
pub(crate) fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn cpus() -> impl clap::builder::TypedValueParser<Value = u8> {
    clap::value_parser!(u8).range(1..=64)
}

fn file(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((host.into(), guest.into())),
        _ => Err("expected HOST:GUEST, with an absolute path in the guest".into()),
    }
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let numbers =
        text.split_once(':').and_then(|(host, guest)| Some((host.parse().ok()?, guest.parse().ok()?)));
    numbers.filter(|&(_, guest)| guest != 0).ok_or_else(|| "expected HOST:GUEST, two port numbers".to_owned())
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".into()),
    }
}

fn seconds(text: &str) -> Result<Timeout, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let limit = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok(Timeout((!limit.is_zero()).then_some(limit)))
}

fn size(text: &str) -> Result<Mebibytes, String> {
    let (digits, shift) = match text.strip_suffix(['G', 'g']) {
        Some(digits) => (digits, 10),
        None => (text.strip_suffix(['M', 'm']).unwrap_or(text), 0),
    };
    match digits.parse::<u32>() {
        Ok(number @ 1..=0xf_ffff) => Ok(Mebibytes(u64::from(number) << shift)),
        _ => Err("expected a number with M or G".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(words: &[&str]) -> Result<ExecOptions, String> {
        let words = ["pollux", "exec"].iter().chain(words);
        match Cli::try_parse_from(words).map_err(|error| first_paragraph(&error.to_string()))?.command {
            Command::Exec(options) => Ok(*options),
            Command::Build(_)
            | Command::Bench(_)
            | Command::Profile(_)
            | Command::Run(_)
            | Command::Test(_)
            | Command::Proof
            | Command::Check
            | Command::Image(_)
            | Command::Initramfs => Err("another command".into()),
        }
    }

    #[test]
    fn the_declaration_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        for words in
            [&["--smp", "2", "--", "sh", "-c", "--smp 3"], &["--smp", "2", "sh", "-c", "--smp 3"][..]]
        {
            let options = exec(words).map_err(|error| panic!("{error}")).ok();
            let seen = options.map(|options| (options.guest.kernel.smp, options.program, options.args));
            assert_eq!(seen, Some((2, "sh".into(), vec!["-c".into(), "--smp 3".into()])));
        }
    }

    #[test]
    fn a_wrong_option_is_named_in_one_line() {
        for (words, part) in [
            (&["--bogus", "x"][..], "--bogus"),
            (&["--smp", "0", "x"], "--smp"),
            (&["--mem", "much", "x"], "--mem"),
            (&["--file", "a:b", "x"], "--file"),
            (&["--forward", "80", "x"], "--forward"),
            (&["--forward", "80:0", "x"], "--forward"),
            (&["--timeout", "-1", "x"], "-1"),
            (&["--on", "minix", "x"], "minix"),
            (&[], "PROGRAM"),
        ] {
            let complaint = exec(words).err().unwrap_or_default();
            assert!(complaint.contains(part) && !complaint.contains('\n'), "{words:?}: {complaint:?}");
        }
    }

    #[test]
    fn tests_are_repeated_over_lists() {
        let cli = Cli::try_parse_from(["pollux", "test", "--on", "pollux", "--smp", "1,4"]);
        let Ok(Cli { command: Command::Test(options) }) = cli else { panic!("not the test command") };
        assert_eq!((options.on, options.smp), (vec![Place::Pollux], vec![1, 4]));
    }

    #[test]
    fn memory_is_counted_in_mebibytes_unless_said_otherwise() {
        assert_eq!(size("3G"), Ok(Mebibytes(3072)));
        assert_eq!((size("512M"), size("512")), (Ok(Mebibytes(512)), Ok(Mebibytes(512))));
        for text in ["", "G", "0", "-1", "1T", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_timeout_is_said_with_zero() {
        assert_eq!(seconds("0"), Ok(Timeout(None)));
        assert_eq!(seconds("1.5"), Ok(Timeout(Some(Duration::from_millis(1500)))));
    }
}
