//! `pollux profile`: counts the kernel's instructions by function while a program runs.
//!
//! QEMU executes the guest instruction by instruction and logs each, so the counts are exact. The guest is some
//! hundred times slower meanwhile, so the kit counts in a window of the run only.
//! Why: decision 0050.
//! Source: QEMU's documentation of `-d exec` and `-singlestep`.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    os::fd::AsRawFd,
    process::{self, ExitCode},
    sync::mpsc::{self, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use pollux_protocol::{
    job::{Job, JobList, Stdio},
    message::Message,
};

use crate::{
    cli::{HardwareOptions, ProfileOptions},
    exec,
    initramfs::Initramfs,
    machine::Machine,
    program,
    session::{Event, Session},
    symbols::Symbols,
};

/// The time limits to reach the window, and to fill it.
const LIMIT: Duration = Duration::from_secs(240);

/// The start of the kernel's half of the address space.
const KERNEL: u64 = 1 << 63;

/// `pollux profile`.
pub(crate) fn command(options: &ProfileOptions) -> Result<ExitCode> {
    program::check(&options.program)?;
    let guest = program::guest_path(&options.program)?;
    let mut initramfs = Initramfs::new()?;
    initramfs.copy(&options.program, &guest)?;
    let job = Job { argv: exec::argv(&guest, &options.args)?, env: exec::environment(&[])?, timeout: None };
    initramfs.init(&JobList { stdio: Stdio::Ports, jobs: vec![job] })?;
    let (reader, writer) = std::io::pipe()?;
    let hardware = HardwareOptions { icount: true, ..options.hardware.clone() };
    let mut machine = Machine::prepare(options.kernel, &hardware)?;
    machine.log_to(&format!("/proc/{}/fd/{}", process::id(), writer.as_raw_fd()));
    let mut session = Session::start(&machine, &initramfs.finish()?)?;
    run_until_window(&mut session, options.after.0.unwrap_or_default())?;
    session.control("singlestep on")?;
    session.control("log exec,nochain")?;
    let most = options.count;
    let (sender, profile) = mpsc::channel();
    thread::spawn(move || sender.send(Profile::read(File::from(std::os::fd::OwnedFd::from(reader)), most)));
    let deadline = Instant::now() + LIMIT;
    let profile = loop {
        match profile.try_recv() {
            Ok(profile) => break profile,
            Err(TryRecvError::Disconnected) => bail!("QEMU's log cannot be read"),
            Err(TryRecvError::Empty) => {}
        }
        if let Event::Message(Message::End(_)) | Event::Exited(_) =
            session.next(Some(Instant::now() + Duration::from_millis(50)))?
        {
            bail!("the program ended within the window: ask for fewer instructions, or earlier");
        }
        if Instant::now() > deadline {
            bail!("the program executes too few instructions");
        }
    };
    print!("{}", profile.describe(&machine.symbols(), options));
    Ok(ExitCode::SUCCESS)
}

/// Lets the program run unobserved for a while.
fn run_until_window(session: &mut Session, after: Duration) -> Result<()> {
    let mut deadline = Instant::now() + LIMIT;
    loop {
        match session.next(Some(deadline))? {
            Event::Message(Message::Start(_)) => deadline = Instant::now() + after,
            Event::TimedOut => return Ok(()),
            Event::Exited(_) | Event::Message(Message::End(_) | Message::Fault(_)) => {
                bail!("the program ended before the window: use --after with less")
            }
            Event::Message(_) | Event::Output(..) => {}
        }
    }
}

/// The number of executions of each instruction.
#[derive(Default)]
struct Profile {
    kernel: HashMap<u64, u64>,
    in_kernel: u64,
    in_user: u64,
    /// The number of entries from user mode into the kernel.
    entries: u64,
}

impl Profile {
    /// Reads `count` instructions from QEMU's log.
    fn read(log: File, most: u64) -> Self {
        let mut profile = Self::default();
        let mut was_user = false;
        for line in BufReader::with_capacity(1 << 20, log).split(b'\n').map_while(Result::ok) {
            let Some(address) = address(&line) else { continue };
            let is_user = address < KERNEL;
            if is_user {
                profile.in_user += 1;
            } else {
                *profile.kernel.entry(address).or_default() += 1;
                profile.in_kernel += 1;
                profile.entries += u64::from(was_user);
            }
            was_user = is_user;
            if profile.in_user + profile.in_kernel >= most {
                break;
            }
        }
        profile
    }

    /// Lists the functions with the most instructions, in total and per entry into the kernel.
    fn describe(&self, symbols: &Symbols, options: &ProfileOptions) -> String {
        let mut functions: HashMap<String, u64> = HashMap::new();
        for (&address, &count) in &self.kernel {
            let names = symbols.functions(address);
            let inner = names.first().map_or("?", |name| name.split(" at ").next().unwrap_or(name));
            let outer = names.last().map_or("?", |name| name.split(" at ").next().unwrap_or(name));
            let name = if options.whole {
                outer.to_owned()
            } else if inner == outer {
                inner.to_owned()
            } else {
                format!("{inner}  (in {outer})")
            };
            *functions.entry(name).or_default() += count;
        }
        let mut functions: Vec<_> = functions.into_iter().collect();
        functions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let entries = self.entries.max(1) as f64;
        let mut text = format!(
            "{} instructions in the kernel, {} in user mode, {} entries into the kernel\n{:>7} {:>9}  function\n",
            self.in_kernel, self.in_user, self.entries, "%", "per entry"
        );
        for (name, count) in functions.into_iter().take(options.lines) {
            let share = 100.0 * count as f64 / self.in_kernel.max(1) as f64;
            text.push_str(&format!("{share:>6.2}% {:>9.2}  {name}\n", count as f64 / entries));
        }
        text
    }
}

/// Parses the program counter in a line of QEMU's log, such as
/// "Trace 0: 0x7f… [0000000000000000/ffffffff88001234/00c0b1/ff000000] ".
fn address(line: &[u8]) -> Option<u64> {
    let start = line.iter().position(|byte| *byte == b'/')? + 1;
    let digits = line.get(start..start + 16)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_counter_is_the_second_field() {
        let line = b"Trace 0: 0x7f0bc [0000000000000000/ffffffff88001234/0040c0b1/ff000200] main";
        assert_eq!(address(line), Some(0xffff_ffff_8800_1234));
        assert_eq!(address(b"singlestep is on"), None);
    }
}
