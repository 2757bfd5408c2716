//! The floating-point part of a signal frame: an XSAVE area that says of itself how large it is.
//!
//! What comes back from user memory reaches `XRSTOR` in the kernel, which faults on what it does not know. So it is
//! checked for all that the processor would refuse.
//! Source: Linux 6.1 arch/x86/kernel/fpu/signal.c, arch/x86/include/uapi/asm/sigcontext.h; Intel SDM 1, 13.4 and 13.8.

use ostd::arch::cpu::context::FpuContext;
use rules::abi::errno::Errno;
use spin::Once;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Marks of an XSAVE area in a frame (`FP_XSTATE_MAGIC1`, `FP_XSTATE_MAGIC2`).
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// Bytes of the second mark, behind the area.
const MAGIC2_SIZE: usize = 4;
/// Where the legacy area has room for software, to its end: `struct _fpx_sw_bytes`.
const SOFTWARE: usize = 464;
/// The legacy area, and where the header behind it starts.
const LEGACY: usize = 512;
const HEADER_END: usize = LEGACY + 64;
const MXCSR: usize = 24;
/// x87 and SSE, whose state is in the legacy area.
const LEGACY_FEATURES: u64 = 3;
/// What a processor that does not tell its mask supports (SDM 1, 11.6.6).
const MXCSR_DEFAULT_MASK: u32 = 0xffbf;

/// The state components that there are; asked for once, because the answer is a page of zeroes.
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

/// The address at which the area goes that ends below `top`.
pub(super) fn place(top: usize, fpu: &FpuContext) -> usize {
    top.wrapping_sub(fpu.as_bytes().len() + MAGIC2_SIZE) & !63
}

/// Writes `fpu` to `at`, with the marks.
///
/// # Errors
/// `EFAULT`.
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

/// Reads what is at `at` into `fpu`; 0 stands for fresh registers.
///
/// An area without its marks is taken for the legacy part alone, as Linux does.
///
/// # Errors
/// `EFAULT`: not readable, or not what `XRSTOR` takes. `fpu` must not be used any more.
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
        // The program may have written this; what every processor supports is safe.
        mask => mask & 0xffff,
    };
    if u32_at(area, MXCSR) & !mask != 0 {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

/// The state components that there are.
fn features() -> u64 {
    *FEATURES.call_once(|| u64_at(FpuContext::new().as_bytes(), LEGACY))
}
