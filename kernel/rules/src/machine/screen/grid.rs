//! The cells of a text screen, and its cursor.
//!
//! Owns: which rows have changed since they were drawn.   Not here: what a byte means (`escape`).
//! Invariant: `row < rows` and `column < columns`; all rows have the same length for ever.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// One character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    /// What it shows.
    pub character: char,
    /// Dark on light.
    pub is_reversed: bool,
}

/// A place in the grid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    pub(super) row: usize,
    pub(super) column: usize,
}

/// What is erased, seen from the cursor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Extent {
    /// The cursor's cell and what follows.
    After,
    /// What precedes, and the cursor's cell.
    Before,
    All,
}

/// The screen's state.
#[derive(Debug)]
pub(super) struct Grid {
    /// Scrolling turns the queue; no row moves in memory.
    cells: VecDeque<Vec<Cell>>,
    changed: Vec<bool>,
    cursor: Position,
    saved: Position,
    /// The cursor is on the last cell of a row that is full: the next character goes to the next row.
    wraps: bool,
    pub(super) is_reversed: bool,
    pub(super) is_cursor_hidden: bool,
}

impl Cell {
    /// A cell with nothing in it.
    pub const BLANK: Self = Self { character: ' ', is_reversed: false };
}

impl Grid {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self {
            cells: (0..rows).map(|_| vec![Cell::BLANK; columns]).collect(),
            changed: vec![true; rows],
            cursor: Position::default(),
            saved: Position::default(),
            wraps: false,
            is_reversed: false,
            is_cursor_hidden: false,
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.cells[0].len()
    }

    pub(super) fn rows(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn cursor(&self) -> Position {
        self.cursor
    }

    pub(super) fn touch_cursor(&mut self) {
        self.changed[self.cursor.row] = true;
    }

    pub(super) fn take_changed(&mut self, row: usize, cells: &mut Vec<Cell>) -> bool {
        if !core::mem::take(&mut self.changed[row]) {
            return false;
        }
        cells.clear();
        cells.extend_from_slice(&self.cells[row]);
        if row == self.cursor.row && !self.is_cursor_hidden {
            cells[self.cursor.column].is_reversed ^= true;
        }
        true
    }

    /// Puts a character at the cursor, which goes on.
    pub(super) fn put(&mut self, character: char) {
        if self.wraps {
            self.cursor.column = 0;
            self.line_feed();
        }
        let Position { row, column } = self.cursor;
        self.cells[row][column] = Cell { character, is_reversed: self.is_reversed };
        self.changed[row] = true;
        if column + 1 < self.columns() {
            self.cursor.column += 1;
        } else {
            self.wraps = true;
        }
    }

    /// Moves the cursor as far as the grid reaches.
    pub(super) fn move_to(&mut self, row: usize, column: usize) {
        self.touch_cursor();
        self.cursor = Position { row: row.min(self.rows() - 1), column: column.min(self.columns() - 1) };
        self.wraps = false;
    }

    /// Down by one row; from the last, everything else goes up.
    pub(super) fn line_feed(&mut self) {
        if self.cursor.row + 1 < self.rows() {
            return self.move_to(self.cursor.row + 1, self.cursor.column);
        }
        self.cells.rotate_left(1);
        self.clear(self.rows() - 1, 0..self.columns());
        self.changed.fill(true);
        self.wraps = false;
    }

    /// Up by one row; from the first, everything else goes down.
    pub(super) fn reverse_line_feed(&mut self) {
        if self.cursor.row > 0 {
            return self.move_to(self.cursor.row - 1, self.cursor.column);
        }
        self.cells.rotate_right(1);
        self.clear(0, 0..self.columns());
        self.changed.fill(true);
        self.wraps = false;
    }

    pub(super) fn save_cursor(&mut self) {
        self.saved = self.cursor;
    }

    pub(super) fn restore_cursor(&mut self) {
        self.move_to(self.saved.row, self.saved.column);
    }

    /// Erases in the cursor's row.
    pub(super) fn erase_in_line(&mut self, extent: Extent) {
        let Position { row, column } = self.cursor;
        let columns = match extent {
            Extent::After => column..self.columns(),
            Extent::Before => 0..column + 1,
            Extent::All => 0..self.columns(),
        };
        self.clear(row, columns);
    }

    /// Erases on the whole screen.
    pub(super) fn erase_in_display(&mut self, extent: Extent) {
        let rows = match extent {
            Extent::After => self.cursor.row + 1..self.rows(),
            Extent::Before => 0..self.cursor.row,
            Extent::All => 0..self.rows(),
        };
        for row in rows {
            self.clear(row, 0..self.columns());
        }
        self.erase_in_line(extent);
    }

    /// An empty screen with nothing saved.
    pub(super) fn reset(&mut self) {
        self.move_to(0, 0);
        self.erase_in_display(Extent::All);
        (self.saved, self.is_reversed, self.is_cursor_hidden) = (Position::default(), false, false);
    }

    fn clear(&mut self, row: usize, columns: Range<usize>) {
        self.cells[row][columns].fill(Cell::BLANK);
        self.changed[row] = true;
        self.wraps = false;
    }
}
