//! The kernel's start, from OSTD's hand-over to the first program.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use ostd::arch::cpu::context::UserContext;
use ostd::boot::{boot_info, smp};
use ostd::power::{self, ExitCode};
use ostd::task::TaskOptions;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::fd::OnExec;
use rules::linux::command_line;

use crate::linux::fs::open::{self, OpenHow};
use crate::linux::syscall::enter;
use crate::linux::syscall::execve;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::registers::Registers;
use crate::linux::task::signal::pending::ThreadSignals;
use crate::linux::task::thread::{CurrentThread, Thread};
use crate::linux::task::{hooks, scheduler};
use crate::linux::{devices, fs, serial};
use crate::machine::clock;
use crate::machine::console::{self, println};
use crate::machine::memory::budget;
use crate::machine::memory::limits::Limits;
use crate::machine::memory::paged::PagedBytes;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::vdso;
use crate::machine::trace::{self, Level};
use crate::net;

/// The first program, unless the command line names another with `init=`.
const INIT: &str = "/init";

const NO_TASK: &str = "pollux: no memory for a task of the kernel";

/// Spawns the first task, which starts everything else. OSTD never returns to its boot stack, which belongs to no
/// task.
pub(crate) fn start() {
    scheduler::install();
    hooks::install();
    // Before anything else: the other CPUs do not answer TLB shootdowns until they have a task.
    smp::register_ap_entry(scheduler::start_cpu);
    if TaskOptions::new(start_all).spawn().is_err() {
        println!("{NO_TASK}");
    }
}

/// Starts all parts of the kernel, and the first process.
fn start_all() {
    budget::start(option("fail_alloc").and_then(|injection| injection.parse().ok()));
    console::open(option("screen.width").and_then(|width| width.parse().ok()));
    clock::start();
    // Linux's word for a counter that must not be trusted.
    let figures = clock::figures().filter(|_| option("tsc") != Some("unstable"));
    let vdso = vdso::start(figures);
    report_options();
    set_trace();
    fs::boot::populate();
    devices::register();
    scheduler::start_cpu();
    net::impairment::start(option("impair"));
    let started = [
        vdso,
        clock::deferred::start(),
        console::start(),
        serial::start(),
        net::timer::start(),
        net::ethernet::start(option("ip")),
    ];
    if started.contains(&Err(Errno::ENOMEM)) {
        println!("{NO_TASK}");
    }
    if let Err(errno) = start_init() {
        give_up(format_args!("cannot start the first process: {errno:?}"));
    }
}

fn start_init() -> Result<(), Errno> {
    // Made now, because the end of a process must need no memory.
    drop(AddressSpace::of_ended_processes());
    let space = AddressSpace::new(Limits::default())?;
    space.set_administrators(true);
    let process = Process::first(space, fs::boot::origin().start);
    let pid = process.pid();
    let signals = ThreadSignals::default();
    Thread::spawn(&process, pid, signals, Registers::new(), UserContext::default(), run_init, |_| Ok(()))?;
    Ok(())
}

fn run_init(thread: Arc<Thread>, mut context: UserContext) {
    let init = init_path();
    let current = CurrentThread::new(&thread);
    if let Err(errno) = prepare(&current, &init, &mut context) {
        give_up(format_args!("cannot run {}: {errno:?}", String::from_utf8_lossy(&init)));
    }
    enter::run_as(&current, context);
    give_up(format_args!(
        "init has ended: {:?}",
        process_table::find(1).and_then(|init| *init.exit_status.lock())
    ));
}

/// Prints the reason and powers the machine off.
fn give_up(reason: fmt::Arguments<'_>) -> ! {
    println!("pollux: {}", reason);
    console::flush();
    power::poweroff(ExitCode::Failure)
}

fn init_path() -> Vec<u8> {
    option("init").unwrap_or(INIT).as_bytes().to_vec()
}

/// Sets the trace level from the command line's `trace=`; the default is events.
fn set_trace() {
    match option("trace") {
        Some("off") => trace::set_level(Level::Off),
        Some("syscalls") => trace::set_level(Level::Syscalls),
        _ => {}
    }
}

/// Prints which words of the command line have no effect.
fn report_options() {
    for complaint in command_line::complaints(&boot_info().kernel_cmdline) {
        println!("pollux: command line: {}", complaint);
    }
}

/// Returns the value of the command line's option `name`.
fn option(name: &str) -> Option<&'static str> {
    command_line::value(&boot_info().kernel_cmdline, name)
}

/// Opens the console as standard input, output and error, as for Linux's init, and loads the program.
fn prepare(thread: &CurrentThread, init: &[u8], context: &mut UserContext) -> Result<(), Errno> {
    const O_RDWR: u32 = 2;
    let process = thread.process();
    let origin = fs::boot::origin();
    let console = open::open(&origin, b"/dev/console", OpenHow::parse(O_RDWR, 0)?)?;
    let console = console.describe(AccessMode::ReadWrite, OpenFlags::empty())?;
    let files = process.files();
    for _ in 0..3 {
        files.open(console.clone(), OnExec::Keep, 3)?;
    }
    let (mut argv, mut envp) = (PagedBytes::default(), PagedBytes::default());
    argv.push(init)?;
    argv.push(&[0])?;
    envp.push(b"HOME=/\0TERM=linux\0")?;
    execve::start_program(thread, context, &origin, init.to_vec(), argv, envp)
}
