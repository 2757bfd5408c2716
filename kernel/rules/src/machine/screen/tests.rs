use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::font::{Font, Pixel};
use super::{Cell, Screen};

/// A screen of ten columns and four rows on which this was written.
fn screen(text: &str) -> Screen {
    let mut screen = Screen::new(10, 4);
    screen.write(text.as_bytes());
    screen
}

/// All rows, without the blanks at their ends; the reversed cells are in brackets.
fn shown(screen: &mut Screen) -> Vec<String> {
    let mut cells = Vec::new();
    let rows = 0..screen.rows();
    let row = |row| {
        screen.take_changed(row, &mut cells);
        let shown = cells.iter().map(|cell| match cell.is_reversed {
            true => format!("[{}]", cell.character),
            false => String::from(cell.character),
        });
        String::from(shown.collect::<String>().trim_end())
    };
    rows.map(row).collect()
}

#[test]
fn text_goes_from_left_to_right_and_from_top_to_bottom() {
    assert_eq!(shown(&mut screen("one\r\ntwo")), ["one", "two[ ]", "", ""]);
    // A line feed alone keeps the column, as a serial line has it.
    assert_eq!(shown(&mut screen("one\ntwo")), ["one", "   two[ ]", "", ""]);
}

#[test]
fn a_full_row_goes_on_in_the_next_with_the_next_character() {
    assert_eq!(shown(&mut screen("0123456789")), ["012345678[9]", "", "", ""]);
    assert_eq!(shown(&mut screen("0123456789a")), ["0123456789", "a[ ]", "", ""]);
    assert_eq!(shown(&mut screen("0123456789\r\nb")), ["0123456789", "b[ ]", "", ""]);
    assert_eq!(shown(&mut screen("0123456789\x08!")), ["01234567![9]", "", "", ""]);
}

#[test]
fn what_leaves_at_the_top_is_gone() {
    assert_eq!(shown(&mut screen("1\r\n2\r\n3\r\n4\r\n5")), ["2", "3", "4", "5[ ]"]);
    assert_eq!(shown(&mut screen("1\r\n2\x1b[H\x1bM")), ["[ ]", "1", "2", ""]);
}

#[test]
fn control_characters_move_the_cursor() {
    assert_eq!(shown(&mut screen("abc\x08\x08X\tY\rZ\x07")), ["Z[X]c     Y", "", "", ""]);
    // There is no tab stop behind the last column, and nothing before the first.
    assert_eq!(shown(&mut screen("\x08\t\t\tX")), ["         [X]", "", "", ""]);
}

#[test]
fn cursor_sequences_move_within_the_grid() {
    assert_eq!(shown(&mut screen("\x1b[2;3HX\x1b[AY\x1b[10DZ")), ["Z[ ] Y", "  X", "", ""]);
    assert_eq!(shown(&mut screen("\x1b[99;99HX\x1b[H\x1b[BY\x1b[2CZ")), ["", "Y  Z[ ]", "", "         X"]);
    assert_eq!(shown(&mut screen("\x1b[4d\x1b[5GX\x1b[FY\x1b[EZ")), ["", "", "Y", "Z[ ]  X"]);
    assert_eq!(shown(&mut screen("ab\x1b7\x1b[3HX\x1b8c\x1b[s\x1b[H1\x1b[ud")), ["1bcd[ ]", "", "X", ""]);
}

#[test]
fn erasing_leaves_the_cursor_where_it_is() {
    let text = "111\r\n22222\r\n333\x1b[2;3H";
    let erased = |sequence: &str| shown(&mut screen(&(String::from(text) + sequence)));
    assert_eq!(erased("\x1b[K"), ["111", "22[ ]", "333", ""]);
    assert_eq!(erased("\x1b[1K"), ["111", "  [ ]22", "333", ""]);
    assert_eq!(erased("\x1b[2K"), ["111", "  [ ]", "333", ""]);
    assert_eq!(erased("\x1b[J"), ["111", "22[ ]", "", ""]);
    assert_eq!(erased("\x1b[1J"), ["", "  [ ]22", "333", ""]);
    assert_eq!(erased("\x1b[2J"), ["", "  [ ]", "", ""]);
    assert_eq!(erased("\x1b[9K"), ["111", "22[2]22", "333", ""]);
    assert_eq!(erased("\x1bcnew"), ["new[ ]", "", "", ""]);
}

#[test]
fn of_renditions_only_reversed_is_seen() {
    assert_eq!(shown(&mut screen("\x1b[1;7;31mab\x1b[0mc\x1b[38;5;7md")), ["[a][b]cd[ ]", "", "", ""]);
    assert_eq!(shown(&mut screen("\x1b[48;2;7;7;7ma\x1b[7mb\x1b[mc")), ["a[b]c[ ]", "", "", ""]);
}

#[test]
fn a_hidden_cursor_is_not_shown() {
    assert_eq!(shown(&mut screen("a\x1b[?25l")), ["a", "", "", ""]);
    assert_eq!(shown(&mut screen("a\x1b[?25l\x1b[?25h")), ["a[ ]", "", "", ""]);
}

#[test]
fn what_is_unknown_shows_nothing() {
    assert_eq!(shown(&mut screen("a\x1b[6n\x1b]0;a title\x07\x1b(B\x1b[5!pb")), ["ab[ ]", "", "", ""]);
}

#[test]
fn a_character_may_come_in_pieces_and_may_be_broken() {
    let mut screen = Screen::new(10, 1);
    for piece in [&b"\xc3"[..], b"\xa9", b"\x1b", b"[", b"1C", b"x\xff\xc3y"] {
        screen.write(piece);
    }
    assert_eq!(shown(&mut screen), ["é x\u{fffd}\u{fffd}y[ ]"]);
}

#[test]
fn only_what_has_changed_is_taken() {
    let mut screen = screen("one\r\ntwo");
    shown(&mut screen);
    let changed = |screen: &mut Screen| [0, 1, 2, 3].map(|row| screen.take_changed(row, &mut Vec::new()));
    assert_eq!(changed(&mut screen), [false; 4]);
    screen.write(b"!");
    assert_eq!(changed(&mut screen), [false, true, false, false]);
    assert_eq!(changed(&mut screen), [false; 4]);
    // The cursor leaves one row and enters another.
    screen.write(b"\x1b[4H");
    assert_eq!(changed(&mut screen), [false, true, false, true]);
}

#[test]
fn painted_cells_look_as_the_font_has_them() {
    let font = Font::for_height(720);
    let cells = [' ', 'A', '\u{1f600}'].map(|character| Cell { character, is_reversed: false });
    for pixel in [24, 32].map(|bits| Pixel::of(bits).unwrap()) {
        let cell_length = font.width() * pixel.length();
        let mut pixels = vec![1; cells.len() * cell_length * font.height()];
        font.paint(&cells, pixel, &mut pixels);
        let image = |index: usize| -> Vec<u8> {
            let lines = pixels.chunks_exact(cells.len() * cell_length);
            lines.flat_map(|line| &line[index * cell_length..][..cell_length]).copied().collect()
        };
        assert!(image(0).iter().all(|&shade| shade == 0));
        assert!(image(1).iter().any(|&shade| shade > 128) && image(1).contains(&0));
        // Unknown, and not left as it was.
        assert!(image(2).iter().any(|&shade| shade > 128) && !image(2).contains(&1));
        let mut reversed = pixels.clone();
        font.paint(&cells.map(|cell| Cell { is_reversed: true, ..cell }), pixel, &mut reversed);
        assert!(pixels.iter().zip(&reversed).all(|(light, dark)| light ^ dark == u8::MAX));
        // Too small a place: what fits is painted.
        font.paint(&cells, pixel, &mut pixels[..100]);
    }
}

#[test]
fn other_pixels_are_not_painted() {
    assert!([0, 8, 15, 16].into_iter().all(|bits| Pixel::of(bits).is_none()));
}

/// Bytes of which many mean something.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        collection::vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes),
        "[a-z]{0,30}".prop_map(String::into_bytes),
        "\x1b\\[\\??[0-9]{0,5}(;[0-9]{0,5}){0,2}[A-Za-z@`]".prop_map(String::into_bytes),
        "\x1b[78DEMc]".prop_map(String::into_bytes),
        Just(b"\n".to_vec()),
    ];
    collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_lead_the_cursor_astray(bytes in bytes(), columns in 0_usize..12, rows in 0_usize..6) {
        let mut screen = Screen::new(columns, rows);
        for byte in bytes {
            screen.write(&[byte]);
            let cursor = screen.grid.cursor();
            assert!(cursor.row < screen.rows() && cursor.column < screen.columns());
        }
        let mut cells = Vec::new();
        for row in 0..screen.rows() {
            assert!(screen.take_changed(row, &mut cells) && cells.len() == screen.columns());
        }
    }

    #[test]
    fn it_does_not_matter_how_bytes_are_cut(bytes in bytes(), cut in any::<proptest::sample::Index>()) {
        let mut whole = Screen::new(10, 4);
        whole.write(&bytes);
        let mut parts = Screen::new(10, 4);
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
        parts.write(first);
        parts.write(second);
        assert_eq!(shown(&mut whole), shown(&mut parts));
    }

    #[test]
    fn who_takes_what_has_changed_has_the_whole_screen(bytes in collection::vec(bytes(), 1..4)) {
        let (mut watched, mut whole) = (Screen::new(10, 4), Screen::new(10, 4));
        let mut drawn = vec![Vec::new(); 4];
        let mut cells = Vec::new();
        for bytes in bytes {
            watched.write(&bytes);
            whole.write(&bytes);
            for (row, drawn) in drawn.iter_mut().enumerate() {
                if watched.take_changed(row, &mut cells) {
                    drawn.clone_from(&cells);
                }
            }
        }
        for (row, drawn) in drawn.iter().enumerate() {
            assert!(whole.take_changed(row, &mut cells));
            assert_eq!(*drawn, cells, "row {row}");
        }
    }
}
