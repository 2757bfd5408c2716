//! A text screen: what a console's bytes make of a grid of characters.
//!
//! Owns: the cells, the cursor, the half of an escape sequence that has come.   Not here: pixels' way to the machine.
//! Invariant: the cursor is in the grid, whatever the bytes are.
//! Missing: colours, scroll regions, other character sets, answers to queries (a screen has no way back).
//! Why: decision 0061.
//! Source: console_codes(4); ECMA-48, 5th edition.

mod escape;
pub mod font;
mod grid;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

pub use self::grid::Cell;
use self::grid::Grid;

/// How much of a title that a program sets is kept, to be forgotten: the parser wants some room.
const TITLE: usize = 16;

/// A screen.
pub struct Screen {
    grid: Grid,
    parser: vte::Parser<TITLE>,
}

impl Screen {
    /// An empty screen of at least one cell.
    #[must_use]
    pub fn new(columns: usize, rows: usize) -> Self {
        Self { grid: Grid::new(columns.max(1), rows.max(1)), parser: vte::Parser::new_with_size() }
    }

    /// Does what the bytes say. Never allocates, since the caller may hold a lock.
    pub fn write(&mut self, bytes: &[u8]) {
        self.grid.touch_cursor();
        // One by one: vte 0.15 loses what follows a character that is cut in two, if it gets more at once.
        for byte in bytes {
            self.parser.advance(&mut self.grid, core::slice::from_ref(byte));
        }
        self.grid.touch_cursor();
    }

    /// Puts a row into `cells` if it has changed since it was last taken, and returns whether it has. The cursor is a
    /// reversed cell. Allocates nothing if `cells` has room for [`columns`](Self::columns).
    pub fn take_changed(&mut self, row: usize, cells: &mut Vec<Cell>) -> bool {
        self.grid.take_changed(row, cells)
    }

    /// How many cells a row has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.grid.columns()
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.grid.rows()
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("grid", &self.grid).finish_non_exhaustive()
    }
}
