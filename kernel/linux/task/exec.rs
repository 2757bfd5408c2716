//! Loads a program into memory: execve(2).
//!
//! Owns: the image and the initial stack.   Not here: which file (syscall/execve), ending the other threads.
//! Source: execve(2), elf(5); Linux 6.1 fs/binfmt_elf.c; System V ABI AMD64 3.4.1 (initial stack).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Poll;

use elf::ElfBytes;
use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD};
use elf::endian::LittleEndian;
use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;
use rules::machine::abi::mman::Prot;
use rules::machine::fallible;
use rules::machine::vma::Traits;

use super::registers;
use crate::core::file::traits::File;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::machine::memory::budget;
use crate::machine::memory::layout::{PAGE_SIZE, STACK_TOP, TASK_SIZE, page_down, page_up};
use crate::machine::memory::limits::Limits;
use crate::machine::memory::paged::PagedBytes;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::space::{AddressSpace, Backing, MapRequest, Placement};
use crate::machine::memory::user::{UserSink, UserSlice};
use crate::machine::memory::vdso;
use crate::machine::random;

/// A program that is ready to run.
pub(crate) struct Image {
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) entry: usize,
    pub(crate) stack: usize,
}

/// What a program is started with: arguments, environment and credentials.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The strings, each with its zero byte. `/proc/PID/cmdline` shows them.
    pub(crate) argv: Arc<PagedBytes>,
    pub(crate) envp: PagedBytes,
    /// The path that was passed to execve(2), for `AT_EXECFN`.
    pub(crate) path: Vec<u8>,
    /// The credentials that the auxiliary vector reports.
    pub(crate) credentials: Credentials,
    /// Whether the program is set-user-ID or set-group-ID and so runs with other credentials: `AT_SECURE`.
    pub(crate) is_secure: bool,
}

/// Why a program cannot be loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The caller goes on and sees this error.
    Refused(Errno),
    /// The program's own addresses make no sense. Linux finds that out when the caller's memory is gone already, and
    /// ends the process with `SIGSEGV`.
    Fatal,
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::Refused(error)
    }
}

/// How many bytes of a file are read for its headers.
const HEAD: usize = 4096;
/// The load address of position-independent programs, as on Linux: two thirds of the address space.
const DYNAMIC_BASE: usize = page_down(TASK_SIZE / 3 * 2);
/// The most bytes of argument and environment strings with their pointers: a quarter of the default stack limit.
pub(crate) const ARGUMENTS_MOST: usize = 2 << 20;

/// The interpreter of a `#!` line and its optional argument.
pub(crate) type Interpreter = (Vec<u8>, Option<Vec<u8>>);

/// Parses the `#!` line of a script; `None` for any other file.
pub(crate) fn interpreter(file: &Inode) -> Result<Option<Interpreter>, Errno> {
    let mut head = [0u8; 256];
    let read = read(file, 0, &mut head)?;
    let Some(line) = head[..read].strip_prefix(b"#!") else { return Ok(None) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let mut words = line.splitn(2, |byte| *byte == b' ' || *byte == b'\t');
    let program = words.next().filter(|word| !word.is_empty()).ok_or(Errno::ENOEXEC)?;
    Ok(Some((program.to_vec(), words.next().map(|word| word.trim_ascii().to_vec()))))
}

/// Loads the program in `file` into a new address space and moves the current thread there.
///
/// `find` opens the dynamic linker that the program names.
///
/// # Errors
/// The current thread stays in its address space. `ENOEXEC`: not a program for this machine. `ENOMEM`. `E2BIG`: the
/// arguments do not fit. `EACCES`, `ENOENT`: the dynamic linker cannot be opened. `ELIBBAD`: it is not a program.
pub(crate) fn load(
    file: &Arc<Inode>,
    arguments: &Arguments,
    limits: Limits,
    find: impl FnOnce(&[u8]) -> Result<Arc<Inode>, Errno>,
) -> Result<Image, Failure> {
    let program = Program::read(file)?;
    let space = AddressSpace::new(limits)?;
    space.set_administrators(arguments.credentials.can(Capability::SYS_ADMIN));
    // The stack is written through its user addresses, so the thread moves in before the image is complete.
    let previous = registers::move_to_space(space.clone());
    let image = build(file, &program, space, arguments, find);
    image.map_err(|error| {
        let is_starved = registers::move_to_space(previous).take_starved();
        match error {
            Failure::Refused(Errno::EFAULT) if is_starved => Failure::Refused(Errno::ENOMEM),
            error => error,
        }
    })
}

fn build(
    file: &Arc<Inode>,
    program: &Program,
    space: Arc<AddressSpace>,
    arguments: &Arguments,
    find: impl FnOnce(&[u8]) -> Result<Arc<Inode>, Errno>,
) -> Result<Image, Failure> {
    // Before anything else: what is wrong with the linker is the caller's to see.
    let linker = match &program.linker {
        Some(path) => {
            let file = find(path)?;
            let loaded = Program::read(&file).map_err(|error| match error {
                Errno::ENOEXEC => Errno::ELIBBAD,
                error => error,
            })?;
            Some((file, loaded))
        }
        None => None,
    };
    let base = if program.is_dynamic { DYNAMIC_BASE } else { 0 };
    let end = program.map(&space, file, base)?;
    space.place_heap(page_up(end).ok_or(Failure::Fatal)?);
    let mut entry = base.checked_add(program.entry);
    let mut linker_base = 0;
    if let Some((file, loaded)) = &linker {
        let room = page_up(loaded.end()).filter(|room| *room > 0).ok_or(Failure::Fatal)?;
        let hole = space.map(MapRequest::anonymous(Placement::Anywhere(0), room, Prot::empty()));
        let hole = hole.map_err(|_| Failure::Fatal)?;
        space.unmap(hole, room)?;
        loaded.map(&space, file, hole)?;
        linker_base = hole;
        entry = hole.checked_add(loaded.entry);
    }
    // The processor does not return to user mode at an address beyond.
    let entry = entry.filter(|entry| *entry < TASK_SIZE).ok_or(Failure::Fatal)?;
    map_stack(&space)?;
    let vdso = vdso::map(&space)?;
    let stack = fill_stack(&space, program, base, linker_base, vdso, arguments)?;
    Ok(Image { space, entry, stack })
}

struct Segment {
    offset: u64,
    start: usize,
    file_len: usize,
    len: usize,
    prot: Prot,
}

/// The program headers in memory, for the auxiliary vector.
struct Headers {
    /// Relative to the address that the program is loaded at.
    address: usize,
    count: usize,
    /// Size of one header in bytes.
    size: usize,
}

struct Program {
    is_dynamic: bool,
    entry: usize,
    headers: Headers,
    segments: Vec<Segment>,
    linker: Option<Vec<u8>>,
}

impl Program {
    fn read(file: &Inode) -> Result<Self, Errno> {
        let mut head = fallible::zeroes(HEAD)?;
        let len = read(file, 0, &mut head)?;
        head.truncate(len);
        let noexec = |_| Errno::ENOEXEC;
        if !head.starts_with(b"\x7fELF\x02\x01") {
            return Err(Errno::ENOEXEC);
        }
        // The ELF parser also checks the section headers, which lie at the file's end and are not needed here.
        if let Some(sections) = head.get_mut(40..48) {
            sections.fill(0);
        }
        if let Some(counts) = head.get_mut(58..64) {
            counts.fill(0);
        }
        let elf = ElfBytes::<LittleEndian>::minimal_parse(&head).map_err(noexec)?;
        let header = elf.ehdr;
        if header.e_machine != EM_X86_64 || (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
            return Err(Errno::ENOEXEC);
        }
        let table = elf.segments().ok_or(Errno::ENOEXEC)?;
        let number = |value: u64| usize::try_from(value).map_err(|_| Errno::ENOEXEC);
        let mut program = Self {
            is_dynamic: header.e_type == ET_DYN,
            entry: number(header.e_entry)?,
            headers: Headers { address: 0, count: table.len(), size: usize::from(header.e_phentsize) },
            segments: Vec::new(),
            linker: None,
        };
        for segment in table.iter() {
            match segment.p_type {
                PT_LOAD => program.add(&segment, header.e_phoff)?,
                PT_INTERP => program.linker = Some(linker_path(file, segment.p_offset, segment.p_filesz)?),
                _ => {}
            }
        }
        if program.segments.is_empty() { Err(Errno::ENOEXEC) } else { Ok(program) }
    }

    fn add(&mut self, header: &elf::segment::ProgramHeader, table: u64) -> Result<(), Errno> {
        let number = |value: u64| usize::try_from(value).map_err(|_| Errno::ENOEXEC);
        let mut prot = Prot::empty();
        prot.set(Prot::READ, header.p_flags & PF_R != 0);
        prot.set(Prot::WRITE, header.p_flags & PF_W != 0);
        prot.set(Prot::EXEC, header.p_flags & PF_X != 0);
        let (start, len, file_len) =
            (number(header.p_vaddr)?, number(header.p_memsz)?, number(header.p_filesz)?);
        if (header.p_offset..header.p_offset.saturating_add(header.p_filesz)).contains(&table) {
            self.headers.address = start.wrapping_add(number(table - header.p_offset)?);
        }
        self.segments.push(Segment { offset: header.p_offset, start, file_len, len, prot });
        Ok(())
    }

    /// Returns the highest end of a segment.
    fn end(&self) -> usize {
        self.segments.iter().map(|segment| segment.start.saturating_add(segment.len)).max().unwrap_or(0)
    }

    /// Maps all segments at `base` plus their own addresses and returns the end of the last.
    ///
    /// # Errors
    /// `Fatal`: a segment leaves user space, is larger in the file than in memory, or not placed as in the file.
    fn map(&self, space: &AddressSpace, file: &Arc<Inode>, base: usize) -> Result<usize, Failure> {
        for segment in &self.segments {
            let end = base.checked_add(segment.start).and_then(|start| start.checked_add(segment.len));
            let is_placed = segment.start % PAGE_SIZE == (segment.offset % PAGE_SIZE as u64) as usize;
            // As mmap(2): what there is no memory for at all is not promised.
            let promised = segment.len.saturating_sub(segment.file_len);
            let is_good = is_placed
                && segment.file_len <= segment.len
                && end.is_some_and(|end| end <= TASK_SIZE)
                && promised <= budget::total();
            if !is_good {
                return Err(Failure::Fatal);
            }
            segment.map(space, file, base).map_err(|error| match error {
                // `EFAULT`: there was no page to clear.
                Errno::ENOMEM | Errno::EFAULT => Failure::Refused(error),
                _ => Failure::Fatal,
            })?;
        }
        Ok(base + self.end())
    }
}

impl Segment {
    fn map(&self, space: &AddressSpace, file: &Arc<Inode>, base: usize) -> Result<(), Errno> {
        let start = base + self.start;
        let in_page = start % PAGE_SIZE;
        let file_end = start + self.file_len;
        let memory_end = page_up(start + self.len).ok_or(Errno::ENOEXEC)?;
        let mapped_end = page_up(file_end).ok_or(Errno::ENOEXEC)?;
        if self.file_len > 0 {
            let pages: Arc<dyn Pages> = file.clone().pages().map_err(|_| Errno::ENOEXEC)?;
            let index = (self.offset - in_page as u64) / PAGE_SIZE as u64;
            space.map(MapRequest {
                placement: Placement::Replacing(page_down(start)),
                len: mapped_end - page_down(start),
                prot: self.prot,
                max_prot: Prot::all(),
                traits: Traits::empty(),
                backing: Backing::Private { pages, index },
            })?;
        }
        let zero_from = if self.file_len > 0 { mapped_end } else { page_down(start) };
        if memory_end > zero_from {
            let placement = Placement::Replacing(zero_from);
            space.map(MapRequest::anonymous(placement, memory_end - zero_from, self.prot))?;
        }
        if self.len > self.file_len
            && self.file_len > 0
            && self.prot.contains(Prot::WRITE)
            && mapped_end > file_end
        {
            UserSlice::new(space, file_end, mapped_end - file_end)?.clear()?;
        }
        Ok(())
    }
}

fn linker_path(file: &Inode, offset: u64, len: u64) -> Result<Vec<u8>, Errno> {
    let is_length = |len: &usize| (2..=4096).contains(len);
    let len = usize::try_from(len).ok().filter(is_length).ok_or(Errno::ENOEXEC)?;
    let mut path = fallible::zeroes(len)?;
    if read(file, offset, &mut path)? < path.len() {
        return Err(Errno::EIO);
    }
    if path.pop() != Some(0) {
        return Err(Errno::ENOEXEC);
    }
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    path.truncate(end);
    Ok(path)
}

fn map_stack(space: &AddressSpace) -> Result<(), Errno> {
    const FIRST: usize = ARGUMENTS_MOST / 16;
    let mut request =
        MapRequest::anonymous(Placement::Replacing(STACK_TOP - FIRST), FIRST, Prot::READ | Prot::WRITE);
    request.traits = Traits::GROWS_DOWN;
    space.map(request).map(|_| ())
}

const AT_NULL: usize = 0;
const AT_PHDR: usize = 3;
const AT_PHENT: usize = 4;
const AT_PHNUM: usize = 5;
const AT_PAGESZ: usize = 6;
const AT_BASE: usize = 7;
const AT_FLAGS: usize = 8;
const AT_ENTRY: usize = 9;
const AT_UID: usize = 11;
const AT_EUID: usize = 12;
const AT_GID: usize = 13;
const AT_EGID: usize = 14;
const AT_HWCAP: usize = 16;
const AT_CLKTCK: usize = 17;
const AT_SECURE: usize = 23;
const AT_RANDOM: usize = 25;
const AT_EXECFN: usize = 31;
const AT_SYSINFO_EHDR: usize = 33;
/// A row that says nothing.
const AT_IGNORE: usize = 1;

fn fill_stack(
    space: &AddressSpace,
    program: &Program,
    base: usize,
    linker_base: usize,
    vdso: Option<usize>,
    arguments: &Arguments,
) -> Result<usize, Errno> {
    let mut stack = Stack { space, at: STACK_TOP - size_of::<usize>() };
    let path = stack.push_string(&arguments.path)?;
    let envp = stack.push_paged(&arguments.envp)?;
    let argv = stack.push_paged(&arguments.argv)?;
    let mut seed = [0u8; 16];
    random::fill_few(&mut seed);
    let seed = stack.push(&seed)?;
    let Credentials { users, groups, .. } = &arguments.credentials;
    let vector = [
        vdso.map_or((AT_IGNORE, 0), |image| (AT_SYSINFO_EHDR, image)),
        (AT_PHDR, base + program.headers.address),
        (AT_PHENT, program.headers.size),
        (AT_PHNUM, program.headers.count),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_BASE, linker_base),
        (AT_FLAGS, 0),
        (AT_ENTRY, base + program.entry),
        (AT_UID, users.real as usize),
        (AT_EUID, users.effective as usize),
        (AT_GID, groups.real as usize),
        (AT_EGID, groups.effective as usize),
        (AT_HWCAP, 0x0f8b_fbff),
        (AT_CLKTCK, 100),
        (AT_SECURE, usize::from(arguments.is_secure)),
        (AT_RANDOM, seed),
        (AT_EXECFN, path),
        (AT_NULL, 0),
    ];
    let (argc, envc) = (count(&arguments.argv)?, count(&arguments.envp)?);
    let words = 1 + argc + 1 + envc + 1 + 2 * vector.len();
    // The ABI requires the stack pointer to be a multiple of 16 at the entry point.
    stack.at = (stack.at - words * size_of::<usize>()) & !15;
    let mut words = Words { space, at: stack.at, kept: heapless::Vec::new() };
    words.push(argc)?;
    arguments.argv.each_string(|offset| words.push(argv + offset))?;
    words.push(0)?;
    arguments.envp.each_string(|offset| words.push(envp + offset))?;
    words.push(0)?;
    vector.iter().flat_map(|(key, value)| [*key, *value]).try_for_each(|word| words.push(word))?;
    words.flush()?;
    Ok(stack.at)
}

/// Counts null-terminated strings.
fn count(strings: &PagedBytes) -> Result<usize, Errno> {
    let mut count = 0;
    strings.each_string(|_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// Words that are written to ascending addresses, many at once.
struct Words<'a> {
    space: &'a AddressSpace,
    at: usize,
    kept: heapless::Vec<u8, 256>,
}

impl Words<'_> {
    fn push(&mut self, word: usize) -> Result<(), Errno> {
        if self.kept.is_full() {
            self.flush()?;
        }
        // There is room for whole words.
        let _ = self.kept.extend_from_slice(&word.to_le_bytes());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Errno> {
        UserSlice::new(self.space, self.at, self.kept.len())?.write_bytes(&self.kept)?;
        self.at += self.kept.len();
        self.kept.clear();
        Ok(())
    }
}

struct Stack<'a> {
    space: &'a AddressSpace,
    at: usize,
}

impl Stack<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.at -= bytes.len();
        UserSlice::new(self.space, self.at, bytes.len())?.write_bytes(bytes)?;
        Ok(self.at)
    }

    /// Copies all bytes, and returns where the first is.
    fn push_paged(&mut self, bytes: &PagedBytes) -> Result<usize, Errno> {
        self.at -= bytes.len();
        let mut buffers = UserSink::buffer(self.space, self.at, bytes.len())?;
        let put = bytes.put(0, &mut buffers)?;
        if put == bytes.len() { Ok(self.at) } else { Err(Errno::EFAULT) }
    }

    fn push_string(&mut self, string: &[u8]) -> Result<usize, Errno> {
        self.push(&[0])?;
        self.push(string)
    }
}

fn read(file: &Inode, at: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        let mut rest = &mut buffer[filled..];
        match file.read_at(at + filled as u64, &mut rest) {
            Poll::Ready(Ok(0)) => break,
            Poll::Ready(Ok(n)) => filled += n,
            Poll::Ready(Err(errno)) => return Err(errno),
            Poll::Pending => return Err(Errno::EACCES),
        }
    }
    Ok(filled)
}
