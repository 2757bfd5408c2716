//! Draws characters: from cells to pixels.
//!
//! Every pixel is grey, so the order of its colours does not matter.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

use super::Cell;

/// How much memory a pixel takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pixel {
    /// A byte for each colour.
    Bits24,
    /// The same, and a byte that means nothing.
    Bits32,
}

impl Pixel {
    /// Returns the pixel of so many bits, if there is one.
    #[must_use]
    pub const fn of(bits: usize) -> Option<Self> {
        match bits {
            24 => Some(Self::Bits24),
            32 => Some(Self::Bits32),
            _ => None,
        }
    }

    /// Returns how many bytes it has.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Bits24 => 3,
            Self::Bits32 => 4,
        }
    }
}

const WEIGHT: FontWeight = FontWeight::Regular;

/// A fixed-width font of one size.
#[derive(Clone, Copy, Debug)]
pub struct Font(RasterHeight);

impl Font {
    /// Returns the font for a screen with so many lines of pixels: larger where pixels are small.
    #[must_use]
    pub const fn for_height(lines: usize) -> Self {
        const FINE: usize = 1440;
        Self(if lines < FINE { RasterHeight::Size16 } else { RasterHeight::Size32 })
    }

    /// Returns how many pixels a cell is wide.
    #[must_use]
    pub const fn width(self) -> usize {
        get_raster_width(WEIGHT, self.0)
    }

    /// Returns how many lines of pixels a cell has.
    #[must_use]
    pub const fn height(self) -> usize {
        self.0.val()
    }

    /// Paints cells side by side, one line of pixels after the other.
    ///
    /// What does not fit into `pixels` is left out.
    pub fn paint(self, cells: &[Cell], pixel: Pixel, pixels: &mut [u8]) {
        let cell_length = self.width() * pixel.length();
        let line_length = cells.len() * cell_length;
        for (index, cell) in cells.iter().enumerate() {
            let Some(image) = self.image(cell.character) else {
                continue;
            };
            let mask = if cell.is_reversed { u8::MAX } else { 0 };
            for (line, shades) in pixels.chunks_exact_mut(line_length).zip(image.raster()) {
                let place = &mut line[index * cell_length..][..cell_length];
                for (bytes, &shade) in place.chunks_exact_mut(pixel.length()).zip(*shades) {
                    bytes.fill(shade ^ mask);
                }
            }
        }
    }

    /// Returns the image of a character; one that the font lacks looks like one that cannot be decoded.
    fn image(self, character: char) -> Option<RasterizedChar> {
        let image = |character| get_raster(character, WEIGHT, self.0);
        image(character).or_else(|| image(char::REPLACEMENT_CHARACTER))
    }
}
