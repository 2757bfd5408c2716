//! The command line: subcommands and their options.
//!
//! Not here: the values of options, and how they are parsed (`value`).

pub(crate) mod value;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

pub(crate) use value::{Firmware, Kernel, Mebibytes, Place, Policy, Timeout};

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
    /// Count the kernel's instructions by function while a program runs
    Profile(Box<ProfileOptions>),
    /// Prove the protocols of the Pollee for any number of threads
    Proof,
    /// Check format, lints, documentation and the direction of imports
    Check,
    /// Write the documentation of our crates as a site, print its path and open it where there is a display
    Doc,
    /// Make the book of kernel/book as a site, print its path and open it where there is a display
    Book(BookOptions),
    /// Make bootable disk images with the tour: target/pollux-bios.img and target/pollux-uefi.img
    Image(ImageOptions),
    /// Pack the initramfs that `cargo osdk run` takes: it plays the tour on the console
    Initramfs,
}

#[derive(Args)]
pub(crate) struct BuildOptions {
    /// The policy of the Pollee: when it caches events
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: Policy,
}

#[derive(Args)]
pub(crate) struct BookOptions {
    /// Check spelling, too, and open nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Record the results of the last whole `bench`, from which the book takes its numbers
    #[arg(long, conflicts_with = "check")]
    pub(crate) record: bool,
}

#[derive(Args)]
pub(crate) struct ImageOptions {
    /// The policy of the Pollee: when it caches events
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
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = value::assignment)]
    pub(crate) env: Vec<String>,
    /// Copy the shared libraries that ldd names, for a program that is not static
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

#[derive(Args, Clone)]
pub(crate) struct TestOptions {
    /// Where to run; Linux only proves the tests right, so they run there once, with the last CPU count
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Place::ALL)]
    pub(crate) on: Vec<Place>,
    /// The CPU counts to run with
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 2], value_parser = value::cpus())]
    pub(crate) smp: Vec<u8>,
    /// The policy of the Pollee: when it caches events (no meaning on Linux)
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Policy::Hybrid])]
    pub(crate) policy: Vec<Policy>,
    #[command(flatten)]
    pub(crate) hardware: HardwareOptions,
    #[command(flatten)]
    pub(crate) files: FileOptions,
    /// Run only the guest's test program of this name (may be repeated)
    #[arg(long = "test", value_name = "NAME")]
    pub(crate) programs: Vec<String>,
    /// Run only test cases with this text in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Start disk images on machines of all sizes, which takes minutes
    #[arg(long)]
    pub(crate) all_machines: bool,
    /// Run the long form of tests that have one, with POLLUX_LONG=1 in their environment
    #[arg(long)]
    pub(crate) long: bool,
    /// End a test program that takes longer
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = value::seconds)]
    pub(crate) timeout: Timeout,
    /// The seed of the random operations of the differential test and the fuzz
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The number of random operations to compare with Linux, and a fifth of the fuzz's calls; 0 for neither
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
    /// The policy of the Pollee: when it caches events (no meaning on Linux)
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
    /// Let the program run for this long before counting
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = value::seconds)]
    pub(crate) after: Timeout,
    /// Count in a window of this many instructions
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) count: u64,
    /// Count an inlined function's instructions with the function that it is part of
    #[arg(long)]
    pub(crate) whole: bool,
    /// Print this many functions
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
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = value::seconds)]
    pub(crate) timeout: Timeout,
    /// Print the guest's boot time by the host's clock, and the program's run time by the guest's clock
    #[arg(long)]
    pub(crate) time: bool,
    /// Write the kernel's log to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// The kernel of a run: what the tests are repeated over.
#[derive(Args, Clone, Copy)]
pub(crate) struct KernelOptions {
    /// The kernel to run on
    #[arg(long, value_enum, default_value_t, env = "POLLUX_ON")]
    pub(crate) on: Kernel,
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value::cpus(), env = "POLLUX_SMP")]
    pub(crate) smp: u8,
    /// The policy of the Pollee: when it caches events (no meaning on Linux)
    #[arg(long, value_enum, default_value_t, env = "POLLUX_POLICY")]
    pub(crate) policy: Policy,
}

/// The machine under the kernel.
#[derive(Args, Clone)]
pub(crate) struct HardwareOptions {
    /// Size of the memory, as 512M or 3G
    #[arg(long, value_name = "SIZE", default_value = "3G", value_parser = value::size)]
    pub(crate) mem: Mebibytes,
    /// CPU model, by QEMU's name [default: max]
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Start a disk image with this firmware; without it QEMU loads the kernel itself
    #[arg(long, value_enum)]
    pub(crate) boot: Option<Firmware>,
    /// Add to the kernel's command line, as in `--append trace=syscalls` (may be repeated)
    #[arg(long, value_name = "WORD")]
    pub(crate) append: Vec<String>,
    /// Count instructions: one CPU, and one nanosecond of guest time for each instruction
    #[arg(long)]
    pub(crate) icount: bool,
    /// Run on the host's processor if possible, which is fast but cannot count
    #[arg(skip)]
    pub(crate) kvm: bool,
    /// Boot this kernel file instead: an ELF kernel for Pollux, a bzImage for Linux
    #[arg(long = "kernel", value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// Give the guest a network card, on QEMU's user network
    #[arg(long)]
    pub(crate) net: bool,
    /// Forward the host's port HOST to the guest's port GUEST; 0 chooses a free HOST and prints it. Gives the guest a
    /// network card (may be repeated)
    #[arg(long = "forward", value_name = "HOST:GUEST", value_parser = value::ports)]
    pub(crate) forwards: Vec<(u16, u16)>,
    /// Wait for gdb on TCP port 1234 before the first instruction
    #[arg(long)]
    pub(crate) gdb: bool,
}

/// Files of the host to copy into the guest.
#[derive(Args, Clone)]
pub(crate) struct FileOptions {
    /// Copy the host's file HOST into the guest as GUEST (may be repeated)
    #[arg(long = "file", value_name = "HOST:GUEST", value_parser = value::file)]
    pub(crate) files: Vec<(PathBuf, PathBuf)>,
}

/// Returns the first paragraph of a text, as one line and without "error: ".
pub(crate) fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
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
            | Command::Doc
            | Command::Book(_)
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
}
