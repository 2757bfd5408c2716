//! The FPU part of a signal frame: an XSAVE area that states its own size.
//!
//! An area read back from user memory reaches `XRSTOR` in the kernel, which faults on an invalid one. So everything
//! that the processor would reject is checked first.
//! Source: Linux 6.1 arch/x86/kernel/fpu/signal.c, arch/x86/include/uapi/asm/sigcontext.h; Intel SDM 1, 13.4 and 13.8.

use ostd::arch::cpu::context::FpuContext;
use rules::abi::errno::Errno;
use spin::Once;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Magic numbers of an XSAVE area in a frame (`FP_XSTATE_MAGIC1`, `FP_XSTATE_MAGIC2`).
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// Bytes of the second magic number, behind the area.
const MAGIC2_SIZE: usize = 4;
/// The offset of the bytes for software in the legacy area: `struct _fpx_sw_bytes`.
const SOFTWARE: usize = 464;
/// Size of the legacy area, behind which the XSAVE header starts.
const LEGACY: usize = 512;
const HEADER_END: usize = LEGACY + 64;
const MXCSR: usize = 24;
/// x87 and SSE, whose state is in the legacy area.
const LEGACY_FEATURES: u64 = 3;
/// The MXCSR mask of a processor that reports none (SDM 1, 11.6.6).
const MXCSR_DEFAULT_MASK: u32 = 0xffbf;

/// The enabled state components; read once, because the answer is a page of zeroes.
static FEATURES: Once<u64> = Once::new();

fn u32_at(area: &[u8], at: usize) -> u32 {
    area[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(area: &[u8], at: usize) -> u64 {
    area[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn put(area: &mut [u8], at: usize, bytes: &[u8]) {
    area[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Returns the address of an area that ends below `top`.
pub(super) fn place(top: usize, fpu: &FpuContext) -> usize {
    top.wrapping_sub(fpu.as_bytes().len() + MAGIC2_SIZE) & !63
}

/// Writes `fpu` to `at`, with the magic numbers.
///
/// # Errors
/// `EFAULT`: the memory is not writable.
pub(super) fn write(space: &AddressSpace, at: usize, fpu: &mut FpuContext) -> Result<(), Errno> {
    let area = fpu.as_bytes_mut();
    let size = area.len();
    put(area, SOFTWARE, &MAGIC1.to_le_bytes());
    put(area, SOFTWARE + 4, &((size + MAGIC2_SIZE) as u32).to_le_bytes());
    put(area, SOFTWARE + 8, &features().to_le_bytes());
    put(area, SOFTWARE + 16, &(size as u32).to_le_bytes());
    UserSlice::new(space, at, size)?.write_bytes(area)?;
    UserPtr::<u32>::new(space, at.checked_add(size).ok_or(Errno::EFAULT)?).write(&MAGIC2)
}

/// Reads the area at `at` into `fpu`; with `at` zero, `fpu` gets initial registers.
///
/// An area without the magic numbers counts as a legacy area alone, as on Linux.
///
/// # Errors
/// `EFAULT`: the area is not readable, or `XRSTOR` would reject it. `fpu` must not be used afterwards.
pub(super) fn read(space: &AddressSpace, at: usize, fpu: &mut FpuContext) -> Result<(), Errno> {
    if at == 0 {
        *fpu = FpuContext::new();
        return Ok(());
    }
    let area = fpu.as_bytes_mut();
    let size = area.len();
    let mut software = [0; LEGACY - SOFTWARE];
    UserSlice::new(space, at.checked_add(SOFTWARE).ok_or(Errno::EFAULT)?, software.len())?
        .read_bytes(&mut software)?;
    let is_whole = u32_at(&software, 0) == MAGIC1
        && u32_at(&software, 4) as usize == size + MAGIC2_SIZE
        && u32_at(&software, 16) as usize == size
        && UserPtr::<u32>::new(space, at.wrapping_add(size)).read()? == MAGIC2;
    if is_whole {
        let wanted = u64_at(&software, 8) & features();
        UserSlice::new(space, at, size)?.read_bytes(area)?;
        let present = u64_at(area, LEGACY);
        if present & !features() != 0 || area[LEGACY + 8..HEADER_END].iter().any(|byte| *byte != 0) {
            return Err(Errno::EFAULT);
        }
        put(area, LEGACY, &(present & wanted).to_le_bytes());
    } else {
        UserSlice::new(space, at, LEGACY)?.read_bytes(&mut area[..LEGACY])?;
        if size >= HEADER_END {
            put(area, LEGACY, &(features() & LEGACY_FEATURES).to_le_bytes());
        }
    }
    let mask = match u32_at(area, MXCSR + 4) {
        0 => MXCSR_DEFAULT_MASK,
        // The program may have written this value; only the bits that every processor supports are safe.
        mask => mask & 0xffff,
    };
    if u32_at(area, MXCSR) & !mask != 0 {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

/// Returns the enabled state components.
fn features() -> u64 {
    *FEATURES.call_once(|| u64_at(FpuContext::new().as_bytes(), LEGACY))
}
