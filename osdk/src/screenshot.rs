//! Reads the text on a picture of a guest's screen: looks each cell up in the guest's font.

use std::collections::HashMap;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const WEIGHT: FontWeight = FontWeight::Regular;
const SIZE: RasterHeight = RasterHeight::Size16;
const WIDTH: usize = get_raster_width(WEIGHT, SIZE);
const HEIGHT: usize = SIZE.val();

/// A picture of the screen. One colour suffices, because text is grey.
pub(crate) struct Screenshot {
    width: usize,
    shades: Vec<u8>,
}

impl Screenshot {
    /// Parses a file in the format of ppm(5), with binary samples of 8 bits; `None` if it is malformed or incomplete.
    pub(crate) fn parse(file: &[u8]) -> Option<Self> {
        let mut words = file.splitn(4, |byte| byte.is_ascii_whitespace());
        let mut word = || std::str::from_utf8(words.next()?).ok();
        if word()? != "P6" {
            return None;
        }
        let (width, height): (usize, usize) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let samples = words.next()?.strip_prefix(b"255\n")?;
        let shades: Vec<u8> = samples.chunks_exact(3).map(|pixel| pixel[0]).collect();
        (width > 0 && shades.len() == width * height).then_some(Self { width, shades })
    }

    /// Returns the rows of characters, without trailing blanks. An unknown character becomes `?`.
    pub(crate) fn rows(&self) -> Vec<String> {
        let glyphs = glyphs();
        let band = self.width * HEIGHT;
        let rows = self.shades.chunks_exact(band).map(|band| {
            let cells = (0..self.width / WIDTH).map(|column| {
                let lines = band.chunks_exact(self.width);
                let shades: Vec<u8> =
                    lines.flat_map(|line| &line[column * WIDTH..][..WIDTH]).copied().collect();
                glyphs.get(&shades).copied().unwrap_or('?')
            });
            cells.collect::<String>().trim_end().to_owned()
        });
        rows.collect()
    }
}

/// Returns the pictures of all printable ASCII characters.
fn glyphs() -> HashMap<Vec<u8>, char> {
    let glyph = |character| Some((get_raster(character, WEIGHT, SIZE)?.raster().concat(), character));
    (' '..='~').filter_map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws a screen of two rows that is some pixels larger than its cells.
    fn picture(rows: [&str; 2]) -> Vec<u8> {
        let width = 8 * WIDTH + 3;
        let mut file = format!("P6\n{width} {}\n255\n", 2 * HEIGHT + 5).into_bytes();
        for line in 0..2 * HEIGHT + 5 {
            let mut shades = vec![0; width];
            for (column, character) in rows.get(line / HEIGHT).unwrap_or(&"").chars().enumerate() {
                let raster = get_raster(character, WEIGHT, SIZE).expect("a character of the font").raster();
                shades[column * WIDTH..][..WIDTH].copy_from_slice(raster[line % HEIGHT]);
            }
            file.extend(shades.into_iter().flat_map(|shade| [shade; 3]));
        }
        file
    }

    #[test]
    fn what_was_drawn_is_read() {
        let rows = Screenshot::parse(&picture(["Il1|O0 .", " ab"])).expect("a picture").rows();
        assert_eq!(rows, ["Il1|O0 .", " ab"]);
    }

    #[test]
    fn a_wrong_pixel_is_seen() {
        let mut file = picture(["abc", ""]);
        let first = file.len() - 3 * (8 * WIDTH + 3) * (2 * HEIGHT + 5);
        file[first + 3 * (WIDTH + 1)] = 1;
        assert_eq!(Screenshot::parse(&file).expect("a picture").rows(), ["a?c", ""]);
    }

    #[test]
    fn half_a_picture_is_none() {
        let file = picture(["", ""]);
        assert!((0..file.len()).all(|length| Screenshot::parse(&file[..length]).is_none()));
    }

    #[test]
    fn no_two_characters_look_the_same() {
        assert_eq!(glyphs().len(), usize::from(b'~' - b' ') + 1);
    }
}
