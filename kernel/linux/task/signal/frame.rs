//! The signal frame on the user's stack: building it, and returning from it.
//!
//! The layout is ABI: `struct rt_sigframe` holds the return address, `ucontext_t` and `siginfo_t`; the FPU area lies
//! above it (xsave). Every value read back from user memory is sanitized before it reaches a register: OSTD does not
//! check it, and a bad one would fault in the kernel.
//! Source: Linux 6.1 arch/x86/kernel/signal_64.c, arch/x86/include/uapi/asm/sigcontext.h.

use ostd::arch::cpu::context::UserContext;
use rules::abi::errno::Errno;

use super::super::registers;
use super::super::thread::Thread;
use super::action::{Action, Flags};
use super::pending::{AltStack, INFO_WORDS, Info};
use super::xsave;
use crate::machine::memory::layout::TASK_SIZE;
use crate::machine::memory::user::UserSlice;
use rules::abi::signal::SigSet;

/// The red zone: bytes below the stack pointer that a function may use without moving it.
const RED_ZONE: usize = 128;
/// `SS_ONSTACK`, `SS_DISABLE` and `SS_AUTODISARM`.
pub(crate) const SS_ONSTACK: u64 = 1;
pub(crate) const SS_DISABLE: u64 = 2;
pub(crate) const SS_AUTODISARM: u64 = 1 << 31;
/// `MINSIGSTKSZ`.
const SMALLEST_STACK: u64 = 2048;
/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
const UC_FLAGS: u64 = 1 | 2 | 4;
const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;

/// 64-bit words of `struct ucontext`: flags, link, stack (3), 24 of sigcontext, 8 reserved, mask.
const WORDS: usize = 2 + 3 + 24 + 8 + 1;
const CONTEXT: usize = 5;
/// The last word of sigcontext points to the FPU area.
const FP_POINTER: usize = CONTEXT + 23;
const MASK: usize = WORDS - 1;
const FRAME: usize = 8 * (1 + WORDS + INFO_WORDS);

/// The bits of RFLAGS that a program may set.
const FLAGS: usize =
    0x0001 | 0x0004 | 0x0010 | 0x0040 | 0x0080 | 0x0100 | 0x0400 | 0x0800 | 0x1_0000 | 0x4_0000;

/// Makes the thread run a handler.
///
/// # Errors
/// `EFAULT`: the stack has no room, or the action has no restorer; the registers are unchanged.
pub(super) fn push(
    thread: &Thread,
    context: &mut UserContext,
    info: &Info,
    action: &Action,
) -> Result<(), Errno> {
    if !action.flags.contains(Flags::RESTORER) {
        return Err(Errno::EFAULT);
    }
    let space = thread.process().space();
    let registers = *context.general_regs();
    let (alt, exception, mask) = {
        let own = thread.signals.lock();
        (own.alt_stack, own.exception, own.saved_mask.unwrap_or(own.mask))
    };
    let is_on_alt = alt.contains(registers.rsp);
    let switches = action.flags.contains(Flags::ONSTACK) && alt.size != 0 && !is_on_alt;
    let top = if switches { alt.start.wrapping_add(alt.size) } else { registers.rsp.wrapping_sub(RED_ZONE) };
    let mut fpu = registers::take_fpu_room();
    fpu.save();
    let fp = xsave::place(top, &fpu);
    let frame = (fp.wrapping_sub(FRAME) & !15).wrapping_sub(8);
    if is_on_alt && !alt.contains(frame) {
        // Without this check, an overflowing alternate stack would silently run into the memory below.
        return Err(Errno::EFAULT);
    }
    xsave::write(&space, fp, &mut fpu)?;
    registers::give_fpu_room(fpu);

    let mut words = [0u64; 1 + WORDS + INFO_WORDS];
    words[0] = action.restorer as u64;
    let ucontext = &mut words[1..=WORDS];
    ucontext[0] = UC_FLAGS;
    ucontext[2..5].copy_from_slice(&describe(alt, registers.rsp));
    let r = &registers;
    let general = [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx, r.rax,
        r.rcx, r.rsp, r.rip, r.rflags,
    ];
    for (word, register) in ucontext[CONTEXT..].iter_mut().zip(general) {
        *word = register as u64;
    }
    ucontext[CONTEXT + 18] = USER_CS | USER_SS << 48;
    ucontext[CONTEXT + 19] = exception[0];
    ucontext[CONTEXT + 20] = exception[1];
    ucontext[CONTEXT + 21] = mask.bits();
    ucontext[CONTEXT + 22] = exception[2];
    ucontext[FP_POINTER] = fp as u64;
    ucontext[MASK] = mask.bits();
    words[1 + WORDS..].copy_from_slice(&info.to_words());
    let mut bytes = [0u8; FRAME];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    UserSlice::new(&space, frame, FRAME)?.write_bytes(&bytes)?;

    let general = context.general_regs_mut();
    general.rsp = frame;
    // OSTD could not return to an address beyond user space; nothing is mapped at the last page either.
    general.rip = action.handler.min(TASK_SIZE - 1);
    general.rdi = usize::from(info.signal.number());
    general.rsi = frame + 8 * (1 + WORDS);
    general.rdx = frame + 8;
    general.rax = 0;
    // Handlers start with the direction, resume and trap flags clear.
    general.rflags &= !0x0001_0500;
    let mut own = thread.signals.lock();
    own.saved_mask = None;
    let mut blocked = own.mask.union(action.mask);
    if !action.flags.contains(Flags::NODEFER) {
        blocked = blocked.with(info.signal);
    }
    own.mask = SigSet::mask(blocked.bits());
    if alt.is_disarmed_by_use {
        own.alt_stack = AltStack::default();
    }
    Ok(())
}

/// Restores the registers from the frame at the stack pointer: rt_sigreturn(2).
///
/// # Errors
/// `EFAULT`: the frame is not readable or not valid. The registers are unchanged; the caller forces `SIGSEGV`.
pub(crate) fn pop(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    let space = thread.process().space();
    let at = context.general_regs().rsp;
    let mut bytes = [0u8; 8 * WORDS];
    UserSlice::new(&space, at, bytes.len())?.read_bytes(&mut bytes)?;
    let mut words = [0u64; WORDS];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    let register = |index: usize| words[CONTEXT + index] as usize;
    let rip = register(16);
    if rip >= TASK_SIZE {
        return Err(Errno::EFAULT);
    }
    let mut fpu = registers::take_fpu_room();
    xsave::read(&space, words[FP_POINTER] as usize, &mut fpu)?;
    let general = context.general_regs_mut();
    general.r8 = register(0);
    general.r9 = register(1);
    general.r10 = register(2);
    general.r11 = register(3);
    general.r12 = register(4);
    general.r13 = register(5);
    general.r14 = register(6);
    general.r15 = register(7);
    general.rdi = register(8);
    general.rsi = register(9);
    general.rbp = register(10);
    general.rbx = register(11);
    general.rdx = register(12);
    general.rax = register(13);
    general.rcx = register(14);
    general.rsp = register(15);
    general.rip = rip;
    general.rflags = (general.rflags & !FLAGS) | (register(17) & FLAGS);
    let rsp = general.rsp;
    fpu.load();
    registers::give_fpu_room(fpu);
    let alt = parse(words[2], words[3], words[4]);
    let mut own = thread.signals.lock();
    own.mask = SigSet::mask(words[MASK]);
    if let Ok(alt) = alt
        && !own.alt_stack.contains(rsp)
    {
        own.alt_stack = alt;
    }
    drop(own);
    thread.recheck_signals();
    Ok(())
}

/// Returns the `stack_t` for `alt`, given the stack pointer.
pub(crate) fn describe(alt: AltStack, rsp: usize) -> [u64; 3] {
    let state = match alt {
        AltStack { size: 0, .. } => SS_DISABLE,
        alt if alt.contains(rsp) => SS_ONSTACK,
        _ => 0,
    };
    let flags = if alt.is_disarmed_by_use { SS_AUTODISARM } else { 0 };
    [alt.start as u64, state | flags, alt.size as u64]
}

/// Parses a `stack_t`.
///
/// # Errors
/// `EINVAL`: unknown flags. `ENOMEM`: the stack is too small.
pub(crate) fn parse(start: u64, flags: u64, size: u64) -> Result<AltStack, Errno> {
    // `ss_flags` is an `int` with four bytes of padding.
    let flags = flags & 0xffff_ffff;
    let is_disarmed_by_use = flags & SS_AUTODISARM != 0;
    match flags & !SS_AUTODISARM {
        SS_DISABLE => Ok(AltStack { is_disarmed_by_use, ..AltStack::default() }),
        0 | SS_ONSTACK if size < SMALLEST_STACK => Err(Errno::ENOMEM),
        0 | SS_ONSTACK => Ok(AltStack { start: start as usize, size: size as usize, is_disarmed_by_use }),
        _ => Err(Errno::EINVAL),
    }
}
