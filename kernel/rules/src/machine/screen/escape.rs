//! Applies control characters and escape sequences to the grid. Unknown ones do nothing.
//!
//! Source: console_codes(4); ECMA-48, 5th edition, for the names.

use vte::{Params, Perform};

use super::grid::{Extent, Grid};

const TAB: usize = 8;

impl Perform for Grid {
    fn print(&mut self, character: char) {
        self.put(character);
    }

    fn execute(&mut self, byte: u8) {
        let cursor = self.cursor();
        match byte {
            b'\x08' => self.move_to(cursor.row, cursor.column.saturating_sub(1)),
            b'\t' => self.move_to(cursor.row, (cursor.column / TAB + 1) * TAB),
            b'\n' | b'\x0b' | b'\x0c' => self.line_feed(),
            b'\r' => self.move_to(cursor.row, 0),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _is_cut: bool, byte: u8) {
        if !intermediates.is_empty() {
            return;
        }
        match byte {
            b'7' => self.save_cursor(),
            b'8' => self.restore_cursor(),
            b'D' => self.line_feed(),
            b'E' => {
                self.move_to(self.cursor().row, 0);
                self.line_feed();
            }
            b'M' => self.reverse_line_feed(),
            b'c' => self.reset(),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _is_cut: bool, action: char) {
        let value =
            |index| params.iter().nth(index).and_then(|all| all.first().copied()).map_or(0, usize::from);
        match (intermediates, action) {
            (b"", 'J' | 'K') => {
                let extent = match value(0) {
                    0 => Extent::After,
                    1 => Extent::Before,
                    2 | 3 => Extent::All,
                    _ => return,
                };
                if action == 'J' { self.erase_in_display(extent) } else { self.erase_in_line(extent) }
            }
            (b"", 'm') => select_graphic_rendition(self, params),
            (b"", 's') => self.save_cursor(),
            (b"", 'u') => self.restore_cursor(),
            (b"", _) => move_cursor(self, action, value(0), value(1)),
            (b"?", 'h' | 'l') => {
                const CURSOR: u16 = 25;
                if params.iter().any(|all| all.contains(&CURSOR)) {
                    self.is_cursor_hidden = action == 'l';
                }
            }
            _ => {}
        }
    }
}

/// The sequences that only move; 0 and nothing mean 1, the first row and column are 1.
fn move_cursor(grid: &mut Grid, action: char, first: usize, second: usize) {
    let cursor = grid.cursor();
    let count = first.max(1);
    let (row, column) = match action {
        'A' => (cursor.row.saturating_sub(count), cursor.column),
        'B' => (cursor.row + count, cursor.column),
        'C' => (cursor.row, cursor.column + count),
        'D' => (cursor.row, cursor.column.saturating_sub(count)),
        'E' => (cursor.row + count, 0),
        'F' => (cursor.row.saturating_sub(count), 0),
        'G' | '`' => (cursor.row, count - 1),
        'H' | 'f' => (count - 1, second.max(1) - 1),
        'd' => (count - 1, cursor.column),
        _ => return,
    };
    grid.move_to(row, column);
}

/// Of all renditions only reversed is shown; the numbers that belong to a colour are none.
fn select_graphic_rendition(grid: &mut Grid, params: &Params) {
    let mut values = params.iter().filter_map(|all| all.first().copied());
    while let Some(value) = values.next() {
        match value {
            0 | 27 => grid.is_reversed = false,
            7 => grid.is_reversed = true,
            38 | 48 => {
                let numbers = match values.next() {
                    Some(2) => 3,
                    Some(5) => 1,
                    _ => 0,
                };
                values.by_ref().take(numbers).for_each(drop);
            }
            _ => {}
        }
    }
}
