//! The memory behind the screen, as the loader has left it.
//!
//! Source: OSTD's `BootloaderFramebufferArg`, whose width the boot stage makes the distance between lines.

use core::fmt;
use core::ops::RangeInclusive;

use ostd::boot::boot_info;
use ostd::io::IoMem;
use ostd::mm::{CachePolicy, VmIo, VmIoFill};
use rules::machine::screen::font::Pixel;

/// A screen.
pub(super) struct Framebuffer {
    memory: IoMem,
    pixel: Pixel,
    /// From the start of a line to the start of the next, in pixels.
    stride: usize,
    width: usize,
    height: usize,
}

/// Why a screen cannot be drawn on.
#[derive(Debug)]
pub(super) enum Unfit {
    /// So many bits for a pixel.
    Depth(usize),
    /// Smaller or larger than any screen.
    Size { width: usize, height: usize },
    /// Its memory is not where OSTD has device memory.
    Place(usize),
}

impl Framebuffer {
    /// The screen, if the loader knows one. It does not know how much of a line is seen.
    pub(super) fn find(seen: Option<usize>) -> Result<Option<Self>, Unfit> {
        /// Pixels in each direction: room for a character, and no more than any screen has.
        const SIDE: RangeInclusive<usize> = 32..=16_384;
        let Some(found) = &boot_info().framebuffer_arg else {
            return Ok(None);
        };
        let (address, stride, height) = (found.address, found.width, found.height);
        let width = seen.unwrap_or(stride).min(stride);
        let pixel = Pixel::of(found.bpp).ok_or(Unfit::Depth(found.bpp))?;
        if !SIDE.contains(&width) || !SIDE.contains(&stride) || !SIDE.contains(&height) {
            return Err(Unfit::Size { width, height });
        }
        let end = address.checked_add(stride * height * pixel.length()).ok_or(Unfit::Place(address))?;
        // Stores may be gathered and late: nobody but the eye reads them.
        let memory = IoMem::acquire_with_cache_policy(address..end, CachePolicy::WriteCombining)
            .map_err(|_| Unfit::Place(address))?;
        Ok(Some(Self { memory, pixel, stride, width, height }))
    }

    pub(super) fn pixel(&self) -> Pixel {
        self.pixel
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Makes everything black.
    pub(super) fn clear(&self) {
        let cleared = self.memory.fill_zeros(0, self.stride * self.height * self.pixel.length());
        debug_assert!(cleared.is_ok());
    }

    /// Puts pixels side by side; what is behind the last line does nothing.
    pub(super) fn write(&self, x: usize, y: usize, pixels: &[u8]) {
        let written = self.memory.write_bytes((y * self.stride + x) * self.pixel.length(), pixels);
        debug_assert!(written.is_ok());
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(bits) => write!(f, "{bits} bits for a pixel, not 24 or 32"),
            Self::Size { width, height } => write!(f, "{width} times {height} pixels"),
            Self::Place(address) => write!(f, "its memory at {address:#x} is not a device's"),
        }
    }
}
