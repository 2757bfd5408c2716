//! execve(2): executing another program in the same process.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread;

use pollux_tests::child::{self, Status};
use pollux_tests::memory::{PAGE, UNMAPPED};
use pollux_tests::witness::{self, Constructor, QUESTION};
use pollux_tests::{Errno, fd, limit, signal, sys};

/// This program answers questions when it is executed with one.
#[used]
#[unsafe(link_section = ".init_array")]
static ANSWER: Constructor = witness::answer;

/// An environment that makes this program exit at once if it is executed by mistake.
const HARMLESS: &[&str] = &["POLLUX_WITNESS=99"];

/// Returns the path of this program.
fn witness() -> String {
    let path = std::env::args().next().unwrap();
    assert!(path.contains('/'), "the tests must be run by a path, not by {path}");
    path
}

/// Makes a command that asks this program a question.
fn asking(question: &str) -> Command {
    let mut command = Command::new(witness());
    command.env(QUESTION, question);
    command
}

fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Writes an executable file.
fn place(path: &str, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Replaces this process; returns only the error.
fn exec(path: &str, arguments: &[&str], environment: &[&str]) -> Errno {
    assert!(environment.first().is_some_and(|first| first.starts_with(QUESTION)));
    let path = CString::new(path).unwrap();
    let strings = |all: &[&str]| all.iter().map(|s| CString::new(*s).unwrap()).collect::<Vec<_>>();
    let pointers =
        |all: &[CString]| all.iter().map(|s| s.as_ptr() as usize).chain([0]).collect::<Vec<_>>();
    let (arguments, environment) = (strings(arguments), strings(environment));
    let (argv, envp) = (pointers(&arguments), pointers(&environment));
    raw(path.as_ptr() as usize, argv.as_ptr() as usize, envp.as_ptr() as usize)
}

fn raw(path: usize, argv: usize, envp: usize) -> Errno {
    // SAFETY: the kernel only reads; on success nothing of this process is left.
    unsafe { sys::call(libc::SYS_execve, [path, argv, envp]) }.unwrap_err()
}

#[test]
fn arguments_arrive_in_order_and_unchanged() {
    let long = "x".repeat(100_000);
    let mut command = asking("arguments");
    command.arg0("zero").args(["one", "", "two words", &long, "last"]);
    assert_eq!(answer(&mut command), format!("zero|one||two words|{long}|last"));
}

#[test]
fn the_environment_arrives_in_order_and_nothing_else() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        fd::dup2(writer.number(), 1).unwrap();
        exec(&witness(), &["w"], &["POLLUX_WITNESS=environment", "B=2", "A=1", "EMPTY="]);
    });
    drop(writer);
    assert_eq!(reader.read(100).unwrap(), b"B=2|A=1|EMPTY=");
    child.join();
}

#[test]
fn the_exit_code_arrives_at_the_parent() {
    for code in [0, 1, 77, 255] {
        let status = asking(&code.to_string()).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn the_process_keeps_its_number() {
    let child = asking("process").stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), pid);
}

#[test]
fn the_auxiliary_vector_tells_the_page_size_and_random_bytes() {
    assert_eq!(answer(&mut asking("page size")), PAGE.to_string());
    let (first, second) = (answer(&mut asking("random")), answer(&mut asking("random")));
    assert_eq!(first.len(), 32);
    assert_ne!(first, second);
}

#[test]
fn the_first_stack_grows_on_demand_up_to_its_limit() {
    assert_eq!(answer(&mut asking("stack")), "used");
    let output = asking("deeper stack").output().unwrap();
    assert_eq!((output.status.signal(), output.stdout), (Some(libc::SIGSEGV), Vec::new()));
}

#[test]
fn descriptors_stay_open_unless_they_are_close_on_exec() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        for number in 3..256 {
            if number != writer.number() {
                let _ = fd::close(number);
            }
        }
        fd::dup2(writer.number(), 1).unwrap();
        fd::dup3(1, 100, 0).unwrap();
        fd::dup3(1, 101, libc::O_CLOEXEC).unwrap();
        fd::dup3(1, 200, 0).unwrap();
        fd::close(writer.number()).unwrap();
        exec(&witness(), &["w"], &["POLLUX_WITNESS=descriptors"]);
    });
    drop(writer);
    assert_eq!(reader.read(100).unwrap(), b"100|200");
    child.join();
}

#[test]
fn a_failed_exec_closes_nothing() {
    child::run(|| {
        let event = fd::eventfd(0, libc::EFD_CLOEXEC).unwrap();
        assert_eq!(exec("/tmp/nothing here", &["x"], HARMLESS), Errno::ENOENT);
        event.write_u64(1).unwrap();
    });
}

#[test]
fn handlers_are_reset_and_the_mask_and_ignored_signals_stay() {
    let mut command = asking("signals");
    let prepare = || {
        signal::count(libc::SIGUSR1, 0);
        signal::handle(libc::SIGHUP, 0, libc::SIG_IGN);
        signal::block(&[libc::SIGUSR2]);
        signal::raise(libc::SIGUSR2);
        Ok(())
    };
    // SAFETY: the calls are plain system calls.
    unsafe { command.pre_exec(prepare) };
    assert_eq!(answer(&mut command), "USR1|USR2 blocked pending|HUP ignored");
}

#[test]
fn the_other_threads_end_with_the_old_program() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        fd::dup2(writer.number(), 1).unwrap();
        let pid = sys::getpid();
        for _ in 0..4 {
            thread::spawn(|| {
                loop {
                    thread::yield_now()
                }
            });
        }
        // Not the first thread calls: the process keeps its number all the same.
        thread::spawn(move || {
            assert_ne!(sys::gettid(), pid);
            exec(&witness(), &["w"], &["POLLUX_WITNESS=process"])
        });
        thread::park();
    });
    drop(writer);
    assert_eq!(reader.read(100).unwrap(), child.pid().to_string().into_bytes());
    child.join();
}

#[test]
fn paths_that_lead_nowhere_have_their_errors() {
    place("/tmp/no program", b"");
    assert_eq!(exec("", &["x"], HARMLESS), Errno::ENOENT);
    assert_eq!(exec("/tmp/nothing here", &["x"], HARMLESS), Errno::ENOENT);
    assert_eq!(exec("/tmp/no program/x", &["x"], HARMLESS), Errno::ENOTDIR);
    assert_eq!(exec("/tmp", &["x"], HARMLESS), Errno::EACCES);
    assert_eq!(exec(&format!("/tmp/{}", "n".repeat(256)), &["x"], HARMLESS), Errno::ENAMETOOLONG);
    assert_eq!(exec(&"/n".repeat(2048), &["x"], HARMLESS), Errno::ENAMETOOLONG);
}

#[test]
fn a_file_that_may_not_be_executed_is_eacces() {
    fs::write("/tmp/plain", b"#!/bin/sh").unwrap();
    fs::set_permissions("/tmp/plain", fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(exec("/tmp/plain", &["x"], HARMLESS), Errno::EACCES);
}

#[test]
fn what_is_no_program_is_enoexec() {
    let program = fs::read(witness()).unwrap();
    let mut other_machine = program[..1 << 16].to_vec();
    other_machine[18] = 0xb7;
    let mut no_headers = program[..64].to_vec();
    no_headers[56] = 0;
    let texts: [&[u8]; 6] =
        [b"", b"\x7fELF", b"hello", &program[..40], &other_machine, &no_headers];
    for (index, text) in texts.into_iter().enumerate() {
        place("/tmp/no program", text);
        assert_eq!(exec("/tmp/no program", &["x"], HARMLESS), Errno::ENOEXEC, "text {index}");
    }
}

#[test]
fn a_damaged_program_dies_but_not_the_kernel() {
    // Every byte of the header and of the program headers in turn, with a few values.
    let whole = fs::read(witness()).unwrap();
    let headers = 64 + 56 * usize::from(whole[56]);
    for at in (16..headers).step_by(11) {
        for value in [0x00, 0xff] {
            let mut program = whole[..PAGE * 4].to_vec();
            program[at] = value;
            place("/tmp/damaged", &program);
            let child = child::spawn(|| {
                limit::lower(libc::RLIMIT_CORE, 0);
                exec("/tmp/damaged", &["x"], HARMLESS);
            });
            match child.wait() {
                Status::Exited(_) => {}
                Status::Killed(signal) => {
                    let fatal = [libc::SIGSEGV, libc::SIGKILL, libc::SIGBUS, libc::SIGILL];
                    assert!(fatal.contains(&signal), "byte {at} = {value}: {signal}");
                }
            }
        }
    }
}

#[test]
fn arguments_that_are_too_large_are_e2big() {
    let one = "x".repeat(32 * PAGE);
    assert_eq!(exec(&witness(), &["x", &one], HARMLESS), Errno::E2BIG);
    let many = vec!["x".repeat(PAGE); 2000];
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(exec(&witness(), &many, HARMLESS), Errno::E2BIG);
    assert_eq!(exec(&witness(), &["x"], &[HARMLESS, &many].concat()), Errno::E2BIG);
}

#[test]
fn bad_addresses_are_efault() {
    let path = CString::new(witness()).unwrap();
    let path = path.as_ptr() as usize;
    let array = [UNMAPPED, 0];
    assert_eq!(raw(UNMAPPED, 0, 0), Errno::EFAULT);
    assert_eq!(raw(path, UNMAPPED, 0), Errno::EFAULT);
    assert_eq!(raw(path, 0, UNMAPPED), Errno::EFAULT);
    assert_eq!(raw(path, array.as_ptr() as usize, 0), Errno::EFAULT);
    assert_eq!(raw(path, 0, array.as_ptr() as usize), Errno::EFAULT);
}

#[test]
fn no_arguments_at_all_become_one_empty_argument() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        fd::dup2(writer.number(), 1).unwrap();
        exec(&witness(), &[], &["POLLUX_WITNESS=count"]);
    });
    drop(writer);
    assert_eq!(reader.read(100).unwrap(), b"1");
    child.join();
}

#[test]
fn a_program_may_bring_its_owner() {
    let path = "/tmp/exec-owner";
    let users = || {
        let mut command = Command::new(path);
        command.env(QUESTION, "users");
        answer(&mut command)
    };
    fs::copy(witness(), path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let as_user = |expected: &str| {
        child::run(|| {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::setuid(5) }, 0);
            assert_eq!(users(), expected);
        });
    };
    as_user("5|5|5|0");
    std::os::unix::fs::chown(path, Some(7), Some(7)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o4755)).unwrap();
    as_user("5|7|7|1");
    assert_eq!(users(), "0|7|7|1");
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        as_user("5|5|5|0");
    });
    fs::remove_file(path).unwrap();
}

/// Starts a child whose end is told by `signal`; it ends when the other end of `until` is closed.
fn child_with_exit_signal(signal: i32, until: &fd::Fd) {
    // SAFETY: the child uses its own copy of the memory.
    let pid = unsafe { sys::call(libc::SYS_clone, [signal as usize, 0, 0, 0, 0]) }.unwrap();
    if pid == 0 {
        let _ = until.read(1);
        child::exit(0);
    }
}

#[test]
fn a_program_is_told_of_children_from_before_by_sigchld_alone() {
    for exit_signal in [libc::SIGKILL, libc::SIGTERM] {
        let status = child::status(|| {
            let (until, closed_by_exec) = fd::pipe2(libc::O_CLOEXEC).unwrap();
            child_with_exit_signal(exit_signal, &until);
            let environment = ["POLLUX_WITNESS=nap"];
            let error = exec(&witness(), &[""], &environment);
            drop(closed_by_exec);
            panic!("{error:?}");
        });
        assert_eq!(status, Status::Exited(0));
    }
    // Without another program, the parent gets the signal that it asked for.
    let status = child::status(|| {
        let (until, closed) = fd::pipe();
        drop(closed);
        child_with_exit_signal(libc::SIGTERM, &until);
        std::thread::sleep(std::time::Duration::from_secs(20));
    });
    assert_eq!(status, Status::Killed(libc::SIGTERM));
}
