//! The framebuffer that the boot loader set up.
//!
//! Source: OSTD's `BootloaderFramebufferArg`, whose width the boot stage makes the distance between lines.

use core::fmt;
use core::ops::RangeInclusive;

use ostd::boot::boot_info;
use ostd::io::IoMem;
use ostd::mm::{CachePolicy, VmIo, VmIoFill};
use rules::machine::screen::font::Pixel;

/// A framebuffer.
pub(super) struct Framebuffer {
    memory: IoMem,
    pixel: Pixel,
    /// The distance between two lines in pixels.
    stride: usize,
    width: usize,
    height: usize,
}

/// Why a framebuffer cannot be used.
#[derive(Debug)]
pub(super) enum Unfit {
    /// An unsupported number of bits per pixel.
    Depth(usize),
    /// An implausible size.
    Size { width: usize, height: usize },
    /// Its memory lies outside of what OSTD takes for device memory.
    Place(usize),
}

impl Framebuffer {
    /// Finds the framebuffer, if the boot loader set one up. `seen` is the visible width, which the boot loader does
    /// not report.
    pub(super) fn find(seen: Option<usize>) -> Result<Option<Self>, Unfit> {
        /// The plausible sizes in pixels: room for a character, and no more than any screen has.
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
        // Write-combining may gather and delay stores; nothing reads them back.
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

    /// Makes all pixels black.
    pub(super) fn clear(&self) {
        let cleared = self.memory.fill_zeros(0, self.stride * self.height * self.pixel.length());
        debug_assert!(cleared.is_ok());
    }

    /// Writes pixels side by side; those behind the last line are ignored.
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
