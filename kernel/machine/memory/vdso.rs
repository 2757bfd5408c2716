//! The pages of the vDSO: the image, and behind it the data by which it reads the clocks. All programs share them.
//!
//! Not here: the image and the data's layout (crate `vdso`), where they are mapped (linux/task/exec).
//! Why: decision 0136.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use ostd::mm::{FrameAllocOptions, UFrame, VmIo};
use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::Traits;
use spin::Once;
use vdso::{Data, Figures};

use super::layout::PAGE_SIZE;
use super::pages::{PageError, Pages};
use super::space::{AddressSpace, Backing, MapRequest, Placement};

/// The size of the mapping in bytes.
const SIZE: usize = 2 * PAGE_SIZE;

static VDSO: Once<Arc<Vdso>> = Once::new();

/// The two pages.
pub(crate) struct Vdso {
    image: UFrame,
    data: UFrame,
}

/// Makes the pages, before the first program starts. With `None` programs ask the kernel for each time.
///
/// # Errors
/// `ENOMEM`: programs get no vDSO.
pub(crate) fn start(figures: Option<Figures>) -> Result<(), Errno> {
    let image = page(&vdso::IMAGE[..vdso::IMAGE.len().min(PAGE_SIZE)])?;
    let data = page(&bytes(figures))?;
    VDSO.call_once(|| Arc::new(Vdso { image, data }));
    Ok(())
}

fn page(bytes: &[u8]) -> Result<UFrame, Errno> {
    let frame = UFrame::from(FrameAllocOptions::new().alloc_frame().map_err(|_| Errno::ENOMEM)?);
    frame.write_bytes(0, bytes).map_err(|_| Errno::ENOMEM)?;
    Ok(frame)
}

/// Lays the data out as programs read it.
fn bytes(figures: Option<Figures>) -> [u8; size_of::<Data>()] {
    let data = Data::default();
    if let Some(Figures { start, scale, realtime }) = figures {
        data.is_trusted.store(1, Ordering::Relaxed);
        data.start.store(start, Ordering::Relaxed);
        data.scale.store(scale, Ordering::Relaxed);
        data.realtime.store(realtime, Ordering::Relaxed);
    }
    let mut bytes = [0; size_of::<Data>()];
    for (at, word) in data.words().into_iter().enumerate() {
        bytes[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Maps the vDSO into a new program and returns the image's address; `None` without a vDSO.
///
/// # Errors
/// `ENOMEM`: no room.
pub(crate) fn map(space: &AddressSpace) -> Result<Option<usize>, Errno> {
    let Some(vdso) = VDSO.get() else { return Ok(None) };
    let request = MapRequest {
        placement: Placement::Anywhere(0),
        len: SIZE,
        prot: Prot::READ | Prot::EXEC,
        // A debugger may write: the program then gets a copy of its own.
        max_prot: Prot::all(),
        traits: Traits::empty(),
        backing: Backing::Private { pages: vdso.clone(), index: 0 },
    };
    space.map(request).map(Some)
}

impl Pages for Vdso {
    fn page(&self, index: u64) -> Result<UFrame, PageError> {
        self.present_page(index).ok_or(PageError::BeyondEnd)
    }

    fn present_page(&self, index: u64) -> Option<UFrame> {
        match index {
            0 => Some(self.image.clone()),
            1 => Some(self.data.clone()),
            _ => None,
        }
    }
}
