//! elf(5), execve(2): programs whose headers lie. The caller sees an error, or the process ends; nothing else happens.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use pollux_tests::Errno;
use pollux_tests::child::{self, Status};
use pollux_tests::sys::{self, Result};

const ELIBBAD: Errno = Errno(80);
const SEGV: Status = Status::Killed(libc::SIGSEGV);
const GOOD: Status = Status::Exited(42);

const PAGE: u64 = 4096;
const BASE: u64 = 0x40_0000;
const TASK_SIZE: u64 = 0x7fff_ffff_f000;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

/// `exit(42)`.
const CODE: [u8; 12] = [0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];

#[derive(Clone)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
}

/// A program with one segment, which the code is at the start of.
#[derive(Clone)]
struct Program {
    kind: u16,
    machine: u16,
    entry: u64,
    table: u64,
    entry_size: u16,
    count: Option<u16>,
    segments: Vec<Segment>,
    interpreter: Vec<u8>,
}

impl Program {
    fn new() -> Self {
        let code = Segment {
            kind: PT_LOAD,
            flags: 5,
            offset: PAGE,
            address: BASE,
            in_file: 12,
            in_memory: 12,
        };
        Self {
            kind: 2,
            machine: 62,
            entry: BASE,
            table: 64,
            entry_size: 56,
            count: None,
            segments: vec![code],
            interpreter: Vec::new(),
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut program = Self::new();
        change(&mut program);
        program
    }

    fn also(mut self, segment: Segment) -> Self {
        self.segments.push(segment);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.machine.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        for word in [self.entry, self.table, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        let count = self.count.unwrap_or(self.segments.len() as u16);
        for half in [64, self.entry_size, count, 0, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for segment in &self.segments {
            bytes.extend(segment.kind.to_le_bytes());
            bytes.extend(segment.flags.to_le_bytes());
            for word in [
                segment.offset,
                segment.address,
                segment.address,
                segment.in_file,
                segment.in_memory,
                PAGE,
            ] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.resize(2048, 0);
        bytes.extend(&self.interpreter);
        bytes.resize(PAGE as usize, 0);
        bytes.extend(CODE);
        bytes.resize(3 * PAGE as usize, 0);
        bytes
    }

    /// Executes it in a child; an error that execve(2) returned, or how the process ended.
    #[track_caller]
    fn run(&self) -> Result<Status> {
        run(&self.bytes())
    }
}

#[track_caller]
fn run(bytes: &[u8]) -> Result<Status> {
    let path = format!("/tmp/elf-{}-{}", sys::getpid(), sys::gettid());
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let file = CString::new(path.clone()).unwrap();
    let status = child::status(|| {
        let argv = [file.as_ptr(), core::ptr::null()];
        let envp = [core::ptr::null::<libc::c_char>()];
        // SAFETY: the arrays end with null pointers.
        let error = unsafe {
            sys::call(
                libc::SYS_execve,
                [file.as_ptr().addr(), argv.as_ptr().addr(), envp.as_ptr().addr()],
            )
        };
        // Errors are told apart from the program's own status.
        child::exit(128 + error.unwrap_err().0);
    });
    fs::remove_file(&path).unwrap();
    match status {
        Status::Exited(code) if code > 128 => Err(Errno(code - 128)),
        status => Ok(status),
    }
}

#[test]
fn a_program_runs() {
    assert_eq!(Program::new().run(), Ok(GOOD));
    assert_eq!(Program::with(|program| (program.kind, program.entry) = (3, BASE)).run(), Ok(GOOD));
}

#[test]
fn an_entry_outside_ends_the_process() {
    for entry in [
        0,
        1,
        BASE + PAGE,
        1 << 40,
        TASK_SIZE - 1,
        TASK_SIZE,
        1 << 47,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ] {
        assert_eq!(Program::with(|program| program.entry = entry).run(), Ok(SEGV), "{entry:#x}");
        let dynamic = Program::with(|program| (program.kind, program.entry) = (3, entry));
        assert_eq!(dynamic.run(), Ok(SEGV), "dynamic {entry:#x}");
    }
}

#[test]
fn a_header_of_another_kind_is_refused() {
    assert_eq!(Program::with(|program| program.kind = 1).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.kind = 4).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.machine = 3).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.entry_size = 55).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.entry_size = 64).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.count = Some(0)).run(), Err(Errno::ENOEXEC));
    assert_eq!(Program::with(|program| program.count = Some(u16::MAX)).run(), Err(Errno::ENOEXEC));
    assert_eq!(run(b"\x7fELF"), Err(Errno::ENOEXEC));
    assert_eq!(run(b""), Err(Errno::ENOEXEC));
    assert_eq!(run(&Program::new().bytes()[..60]), Err(Errno::ENOEXEC));
}

#[test]
fn a_segment_outside_ends_the_process() {
    let segment = |change: fn(&mut Segment)| {
        Program::with(|program| {
            if let [segment] = &mut program.segments[..] {
                change(segment);
            }
        })
    };
    assert_eq!(segment(|segment| segment.address = 1 << 63).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.address = u64::MAX - PAGE + 1).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.address = TASK_SIZE).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.in_memory = 1 << 48).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.in_memory = u64::MAX).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.in_memory = 11).run(), Ok(SEGV));
    assert_eq!(segment(|segment| segment.in_file = 1 << 48).run(), Ok(SEGV));
    // Not at the place in a page that it has in the file.
    assert_eq!(segment(|segment| segment.offset = PAGE + 1).run(), Ok(SEGV));
    // Beyond the end of the file, the code is not there.
    let beyond = segment(|segment| segment.offset = 100 * PAGE).run();
    assert_eq!(beyond, Ok(Status::Killed(libc::SIGBUS)));
}

#[test]
fn programs_may_lie_high() {
    for address in [1 << 40, (TASK_SIZE / 3 + PAGE) & !(PAGE - 1), 0x6000_0000_0000] {
        let high = Program::with(|program| {
            program.entry = address;
            program.segments[0].address = address;
        });
        assert_eq!(high.run(), Ok(GOOD), "{address:#x}");
    }
}

#[test]
fn a_second_segment_may_lie_over_the_first() {
    let second =
        Segment { kind: PT_LOAD, flags: 6, offset: 0, address: BASE, in_file: 100, in_memory: 100 };
    // The code is covered by data, which cannot be executed.
    assert_eq!(Program::new().also(second.clone()).run(), Ok(SEGV));
    let behind = Segment { address: BASE + PAGE, in_memory: 3 * PAGE, ..second };
    assert_eq!(Program::new().also(behind).run(), Ok(GOOD));
}

fn interpreted(name: &[u8], len: u64) -> Program {
    let interpreter = Segment {
        kind: PT_INTERP,
        flags: 4,
        offset: 2048,
        address: 0,
        in_file: len,
        in_memory: len,
    };
    Program { interpreter: name.to_vec(), ..Program::new() }.also(interpreter)
}

#[test]
fn a_wrong_interpreter_is_the_callers_to_see() {
    assert_eq!(interpreted(b"/nowhere\0", 9).run(), Err(Errno::ENOENT));
    assert_eq!(interpreted(b"/tmp\0", 5).run(), Err(Errno::EACCES));
    assert_eq!(interpreted(b"/nowhere", 8).run(), Err(Errno::ENOEXEC));
    assert_eq!(interpreted(b"\0", 1).run(), Err(Errno::ENOEXEC));
    assert_eq!(interpreted(b"/nowhere\0", 1 << 20).run(), Err(Errno::ENOEXEC));
    assert_eq!(interpreted(b"/nowhere\0", 0).run(), Err(Errno::ENOEXEC));
    let text = format!("/tmp/elf-text-{}", sys::getpid());
    fs::write(&text, "not a program, but long enough to have the header of one: sixty-four bytes")
        .unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    let name = [text.as_bytes(), b"\0"].concat();
    assert_eq!(interpreted(&name, name.len() as u64).run(), Err(ELIBBAD));
    fs::remove_file(&text).unwrap();
}

#[test]
fn an_interpreter_runs_first_and_its_own_interpreter_never() {
    let path = format!("/tmp/elf-linker-{}", sys::getpid());
    let name = [path.as_bytes(), b"\0"].concat();
    // It names itself.
    let mut linker = Program { kind: 3, ..interpreted(&name, name.len() as u64) };
    // Linux clears the rest of the linker's last page in any case.
    linker.segments[0].flags = 7;
    fs::write(&path, linker.bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let program = Program { entry: 0, ..interpreted(&name, name.len() as u64) };
    assert_eq!(program.run(), Ok(GOOD));
    let lost = Program { entry: 1 << 63, ..linker };
    fs::write(&path, lost.bytes()).unwrap();
    assert_eq!(program.run(), Ok(SEGV));
    fs::remove_file(&path).unwrap();
}
