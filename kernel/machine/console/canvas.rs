//! Draws rows of text on the framebuffer.
//!
//! Owns: what the framebuffer shows, so that only changed cells are drawn.

use alloc::vec;
use alloc::vec::Vec;

use rules::machine::screen::Cell;
use rules::machine::screen::font::Font;

use super::framebuffer::Framebuffer;

pub(super) struct Canvas {
    framebuffer: Framebuffer,
    font: Font,
    columns: usize,
    shown: Vec<Vec<Cell>>,
    next: Vec<Cell>,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Makes a black canvas as large as the framebuffer.
    pub(super) fn new(framebuffer: Framebuffer) -> Self {
        framebuffer.clear();
        let font = Font::for_height(framebuffer.height());
        let (columns, rows) = (framebuffer.width() / font.width(), framebuffer.height() / font.height());
        Self {
            font,
            columns,
            shown: vec![vec![Cell::BLANK; columns]; rows],
            next: Vec::with_capacity(columns),
            pixels: vec![0; columns * font.width() * font.height() * framebuffer.pixel().length()],
            framebuffer,
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.shown.len()
    }

    /// Returns the buffer for the cells of the next row, which [`Self::draw`] draws.
    pub(super) fn next_row(&mut self) -> &mut Vec<Cell> {
        &mut self.next
    }

    /// Draws the part of a row between its first and its last changed cell.
    pub(super) fn draw(&mut self, row: usize) {
        let Self { framebuffer, font, shown, next, pixels, .. } = self;
        let differs = |(old, new): (&Cell, &Cell)| old != new;
        let Some(first) = shown[row].iter().zip(&*next).position(differs) else {
            return;
        };
        let last = shown[row].iter().zip(&*next).rposition(differs).unwrap_or(first);
        let cells = &next[first..=last];
        let length = cells.len() * font.width() * framebuffer.pixel().length();
        font.paint(cells, framebuffer.pixel(), pixels);
        for (line, pixels) in pixels.chunks_exact(length).take(font.height()).enumerate() {
            framebuffer.write(first * font.width(), row * font.height() + line, pixels);
        }
        shown[row].copy_from_slice(next);
    }
}
