//! The frame on the user's stack that a handler runs above, and the way back from it.
//!
//! The layout is the ABI: `struct rt_sigframe` = return address, `ucontext_t`, `siginfo_t`, and the FPU area
//! above it. Everything that comes back from user memory is made harmless before it reaches a register:
//! OSTD does not check it, and the processor would fault in the kernel.
//! Source: Linux 6.1 arch/x86/kernel/signal_64.c, arch/x86/include/uapi/asm/sigcontext.h.

use model::abi::errno::Errno;
use ostd::arch::cpu::context::UserContext;

use super::super::thread::{self, Thread};
use super::action::{Action, Flags};
use super::pending::Info;
use super::set::SigSet;
use crate::memory::layout::TASK_SIZE;
use crate::memory::user::{UserPtr, UserSlice};

/// Bytes below the stack pointer that a function may use without moving it.
const RED_ZONE: usize = 128;
/// `SS_ONSTACK` and `SS_DISABLE`.
const SS_ONSTACK: u64 = 1;
const SS_DISABLE: u64 = 2;
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
const INFO_WORDS: usize = 16;
const FRAME: usize = 8 * (1 + WORDS + INFO_WORDS);

/// Marks of an XSAVE area in a frame (`FP_XSTATE_MAGIC1`, `FP_XSTATE_MAGIC2`).
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// Where the legacy area has room for software: `struct _fpx_sw_bytes`.
const SOFTWARE: usize = 464;
const XSTATE_HEADER: usize = 512;
const MXCSR: usize = 24;

/// The flags that a program may set.
const FLAGS: usize =
    0x0001 | 0x0004 | 0x0010 | 0x0040 | 0x0080 | 0x0100 | 0x0400 | 0x0800 | 0x1_0000 | 0x4_0000;

/// Makes the thread run a handler.
///
/// # Errors
/// `EFAULT`: there is no room on the stack; the registers are as before.
pub(super) fn push(
    thread: &Thread,
    context: &mut UserContext,
    info: &Info,
    action: &Action,
) -> Result<(), Errno> {
    let space = thread.process().space();
    let registers = *context.general_regs();
    let mut own = thread.signals.lock();
    let alt = own.alt_stack;
    let is_on_alt = registers.rsp.wrapping_sub(alt.start) <= alt.size && alt.size != 0;
    let top = if action.flags.contains(Flags::ONSTACK) && alt.size != 0 && !is_on_alt {
        alt.start + alt.size
    } else {
        registers.rsp.wrapping_sub(RED_ZONE)
    };
    let mask = own.saved_mask.take().unwrap_or(own.mask);
    let mut blocked = own.mask.union(action.mask);
    if !action.flags.contains(Flags::NODEFER) {
        blocked = blocked.with(info.signal);
    }
    own.mask = SigSet::mask(blocked.bits());
    drop(own);

    let mut fpu = thread::save_registers().fpu;
    let size = fpu.as_bytes().len();
    let fp = top.wrapping_sub(size + 4) & !63;
    let frame = (fp.wrapping_sub(FRAME) & !15).wrapping_sub(8);
    mark(fpu.as_bytes_mut());
    UserSlice::new(&space, fp, size + 4)?.part(0, size).write_bytes(fpu.as_bytes())?;
    UserPtr::<u32>::new(&space, fp + size).write(&MAGIC2)?;

    let mut words = [0u64; 1 + WORDS + INFO_WORDS];
    words[0] = action.restorer as u64;
    let ucontext = &mut words[1..=WORDS];
    ucontext[0] = UC_FLAGS;
    ucontext[2] = alt.start as u64;
    ucontext[3] = if alt.size == 0 {
        SS_DISABLE
    } else if is_on_alt {
        SS_ONSTACK
    } else {
        0
    };
    ucontext[4] = alt.size as u64;
    let r = &registers;
    let general = [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx, r.rax,
        r.rcx, r.rsp, r.rip, r.rflags,
    ];
    for (word, register) in ucontext[CONTEXT..].iter_mut().zip(general) {
        *word = register as u64;
    }
    ucontext[CONTEXT + 18] = USER_CS | USER_SS << 48;
    ucontext[CONTEXT + 21] = mask.bits();
    ucontext[CONTEXT + 22] = info.words[0];
    ucontext[FP_POINTER] = fp as u64;
    ucontext[MASK] = mask.bits();
    let siginfo = &mut words[1 + WORDS..];
    siginfo[0] = u64::from(info.signal.number());
    siginfo[1] = u64::from(info.code.cast_unsigned());
    siginfo[2] = info.words[0];
    siginfo[3] = info.value;
    let mut bytes = [0u8; FRAME];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    UserSlice::new(&space, frame, FRAME)?.write_bytes(&bytes)?;

    let general = context.general_regs_mut();
    general.rsp = frame;
    general.rip = if action.handler < TASK_SIZE { action.handler } else { 0 };
    general.rdi = usize::from(info.signal.number());
    general.rsi = frame + 8 * (1 + WORDS);
    general.rdx = frame + 8;
    general.rax = 0;
    general.rflags &= !0x0001_0500;
    Ok(())
}

/// Puts the registers back from the frame that the stack pointer is behind: rt_sigreturn(2).
///
/// # Errors
/// `EFAULT`: the frame is not readable or not one; the caller ends the process with `SIGSEGV`.
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
    let mut registers = thread::save_registers();
    let fp = words[FP_POINTER] as usize;
    if fp != 0 {
        let area = registers.fpu.as_bytes_mut();
        let slice = UserSlice::new(&space, fp, area.len())?;
        let original = area[..XSTATE_HEADER + 64].to_vec();
        slice.read_bytes(area)?;
        sanitize(area, &original);
    }
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
    thread::load_registers(registers);
    thread.signals.lock().mask = SigSet::mask(words[MASK]);
    thread.call_attention();
    Ok(())
}

/// Says how large the area is, where a program that unwinds the frame looks for it.
fn mark(area: &mut [u8]) {
    let size = area.len() as u32;
    let features: [u8; 8] = area[XSTATE_HEADER..XSTATE_HEADER + 8].try_into().unwrap_or_default();
    area[SOFTWARE..SOFTWARE + 4].copy_from_slice(&MAGIC1.to_le_bytes());
    area[SOFTWARE + 4..SOFTWARE + 8].copy_from_slice(&(size + 4).to_le_bytes());
    area[SOFTWARE + 8..SOFTWARE + 16].copy_from_slice(&features);
    area[SOFTWARE + 16..SOFTWARE + 20].copy_from_slice(&size.to_le_bytes());
}

/// Takes out what `XRSTOR` would refuse: unknown state components, a compacted layout, reserved bits.
fn sanitize(area: &mut [u8], original: &[u8]) {
    /// x87, SSE and AVX: what the frame can hold and the processor has enabled in any case.
    const KNOWN: u64 = 7;
    let header = XSTATE_HEADER..XSTATE_HEADER + 8;
    let wanted = u64::from_le_bytes(area[header.clone()].try_into().unwrap_or_default());
    let had = u64::from_le_bytes(original[header.clone()].try_into().unwrap_or_default());
    area[header].copy_from_slice(&(wanted & (had | KNOWN)).to_le_bytes());
    area[XSTATE_HEADER + 8..XSTATE_HEADER + 64].fill(0);
    let supported = match u32::from_le_bytes(original[MXCSR + 4..MXCSR + 8].try_into().unwrap_or_default()) {
        0 => 0xffbf,
        mask => mask,
    };
    let mxcsr = u32::from_le_bytes(area[MXCSR..MXCSR + 4].try_into().unwrap_or_default());
    area[MXCSR..MXCSR + 4].copy_from_slice(&(mxcsr & supported).to_le_bytes());
}
