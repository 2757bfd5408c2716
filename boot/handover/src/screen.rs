//! Writes text on the loader's screen, for machines without a serial port.
//!
//! All colours of a pixel have the same value, so their order does not matter.

use core::fmt::{self, Write};

use bootloader_api::info::FrameBufferInfo;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const WEIGHT: FontWeight = FontWeight::Regular;
const SIZE: RasterHeight = RasterHeight::Size16;

/// Returns the option with the screen's width for the front of the kernel's command line, if lines in memory are
/// longer. The boot protocol has a field for the width, but OSTD does not read it.
pub fn width_option(info: &FrameBufferInfo) -> heapless::String<40> {
    let mut option = heapless::String::new();
    if info.stride > info.width {
        // The string has room for any number.
        let _ = write!(option, "screen.width={} ", info.width);
    }
    option
}

/// A screen that is written from its top. Text below its last line is dropped.
pub struct Screen<'a> {
    pixels: &'a mut [u8],
    info: FrameBufferInfo,
    column: usize,
    row: usize,
}

impl<'a> Screen<'a> {
    /// Opens the screen and makes it black.
    pub fn open(pixels: &'a mut [u8], info: FrameBufferInfo) -> Self {
        pixels.fill(0);
        Self { pixels, info, column: 0, row: 0 }
    }

    fn put(&mut self, character: char) {
        let width = get_raster_width(WEIGHT, SIZE);
        if character == '\n' || (self.column + 1) * width > self.info.width {
            (self.column, self.row) = (0, self.row + 1);
        }
        let Some(image) = get_raster(character, WEIGHT, SIZE) else {
            return;
        };
        for (line, shades) in image.raster().iter().enumerate() {
            let first = (self.row * SIZE.val() + line) * self.info.stride + self.column * width;
            let bytes = self.pixels.get_mut(first * self.info.bytes_per_pixel..).unwrap_or_default();
            for (pixel, &shade) in bytes.chunks_exact_mut(self.info.bytes_per_pixel.max(1)).zip(*shades) {
                pixel.fill(shade);
            }
        }
        self.column += 1;
    }
}

impl Write for Screen<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().for_each(|character| self.put(character));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bootloader_api::info::PixelFormat;

    use super::*;

    const WIDTH: usize = get_raster_width(WEIGHT, SIZE);

    fn info(columns: usize, rows: usize, bytes_per_pixel: usize) -> FrameBufferInfo {
        let (width, height) = (columns * WIDTH + 1, rows * SIZE.val());
        let stride = width + 5;
        let byte_len = stride * height * bytes_per_pixel;
        FrameBufferInfo { byte_len, width, height, pixel_format: PixelFormat::Bgr, bytes_per_pixel, stride }
    }

    /// Whether the screen shows this character at this place, in all bytes of each pixel.
    fn shows(pixels: &[u8], info: FrameBufferInfo, (row, column): (usize, usize), character: char) -> bool {
        let image = get_raster(character, WEIGHT, SIZE).expect("a character of the font");
        image.raster().iter().enumerate().all(|(line, shades)| {
            let first = (row * SIZE.val() + line) * info.stride + column * WIDTH;
            let bytes = &pixels[first * info.bytes_per_pixel..][..WIDTH * info.bytes_per_pixel];
            bytes
                .chunks(info.bytes_per_pixel)
                .zip(*shades)
                .all(|(pixel, shade)| pixel.iter().all(|byte| byte == shade))
        })
    }

    #[test]
    fn words_go_on_in_the_next_row_and_end_with_the_screen() {
        for bytes_per_pixel in [3, 4] {
            let info = info(3, 2, bytes_per_pixel);
            let mut pixels = vec![0x55; info.byte_len];
            write!(Screen::open(&mut pixels, info), "ab\ncdefgh\u{1f600}")
                .expect("a screen takes everything");
            for (place, character) in
                [((0, 0), 'a'), ((0, 1), 'b'), ((0, 2), ' '), ((1, 0), 'c'), ((1, 2), 'e')]
            {
                assert!(shows(&pixels, info, place, character), "{place:?} {character}");
            }
        }
    }

    #[test]
    fn the_kernel_is_told_of_lines_that_are_longer_than_the_screen_is_wide() {
        let info = info(3, 2, 4);
        assert_eq!(width_option(&info), "screen.width=28 ");
        assert_eq!(width_option(&FrameBufferInfo { stride: 28, ..info }), "");
        let most = FrameBufferInfo { width: usize::MAX - 1, stride: usize::MAX, ..info };
        assert!(width_option(&most).ends_with("4 "));
    }

    #[test]
    fn a_screen_that_is_not_as_it_says_is_no_danger() {
        for length in [0, 1, 100, 1000] {
            for bytes_per_pixel in [0, 4] {
                let info = FrameBufferInfo { width: 1, ..info(3, 2, bytes_per_pixel) };
                write!(Screen::open(&mut vec![0; length], info), "a\nbc").expect("a screen takes everything");
            }
        }
    }
}
