use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;

use super::{Flush, INPUT_MAX, OUTPUT_MAX, Tty, TtySignal};
use crate::linux::abi::termios::{InputModes, LocalModes, OutputModes, Special, Termios};

fn type_in(tty: &mut Tty, bytes: &[u8]) -> Option<TtySignal> {
    bytes.iter().filter_map(|&byte| tty.receive(byte)).last()
}

fn shown(tty: &mut Tty) -> Vec<u8> {
    let mut all = Vec::new();
    while !tty.to_send().is_empty() {
        all.extend_from_slice(tty.to_send());
        tty.sent(tty.to_send().len());
    }
    all
}

fn read(tty: &mut Tty, room: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; room];
    match tty.read(&mut &mut buffer[..]) {
        Poll::Pending => None,
        Poll::Ready(count) => {
            buffer.truncate(count.unwrap());
            Some(buffer)
        }
    }
}

fn write(tty: &mut Tty, mut bytes: &[u8]) -> usize {
    tty.write(&mut bytes)
}

fn raw(minimum: u8) -> Termios {
    let mut settings = Termios { input: 0, output: 0, local: 0, ..Termios::INITIAL };
    settings.special[Special::Minimum as usize] = minimum;
    settings
}

#[test]
fn a_line_is_readable_when_it_is_complete_and_not_before() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"ec");
    assert!(!tty.is_readable());
    assert_eq!(read(&mut tty, 9), None);
    type_in(&mut tty, b"ho\r");
    assert!(tty.is_readable());
    assert_eq!(read(&mut tty, 3).unwrap(), b"ech");
    assert!(tty.is_readable());
    assert_eq!(read(&mut tty, 9).unwrap(), b"o\n");
    assert_eq!(read(&mut tty, 9), None);
    assert_eq!(shown(&mut tty), b"echo\r\n");
}

#[test]
fn one_read_takes_one_line() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"a\nb\n");
    assert_eq!(read(&mut tty, 9).unwrap(), b"a\n");
    assert_eq!(read(&mut tty, 9).unwrap(), b"b\n");
}

#[test]
fn end_of_file_ends_an_empty_line_as_zero_bytes_and_a_full_one_as_it_is() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"\x04");
    assert!(tty.is_readable());
    assert_eq!(read(&mut tty, 9).unwrap(), b"");
    type_in(&mut tty, b"ab\x04");
    assert_eq!(read(&mut tty, 2).unwrap(), b"ab");
    assert!(!tty.is_readable());
}

#[test]
fn characters_words_and_lines_can_be_taken_back_before_the_end() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"ax\x7fb cd \x17ef\n");
    assert_eq!(read(&mut tty, 99).unwrap(), b"ab ef\n");
    type_in(&mut tty, b"gone\x15\x7fkept\n");
    assert_eq!(read(&mut tty, 99).unwrap(), b"kept\n");
}

#[test]
fn erasing_rubs_out_what_was_shown_for_the_byte() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"a\x01");
    assert_eq!(shown(&mut tty), b"a^A");
    type_in(&mut tty, b"\x7f");
    assert_eq!(shown(&mut tty), b"\x08 \x08\x08 \x08");
    type_in(&mut tty, b"\x7f\x7f");
    assert_eq!(shown(&mut tty), b"\x08 \x08");
}

#[test]
fn a_literal_next_takes_the_meaning_from_a_character() {
    let mut tty = Tty::default();
    assert_eq!(type_in(&mut tty, b"\x16\x03\n"), None);
    assert_eq!(read(&mut tty, 9).unwrap(), b"\x03\n");
}

#[test]
fn signals_flush_the_input_unless_told_otherwise() {
    let mut tty = Tty::default();
    assert_eq!(type_in(&mut tty, b"one\ntwo\x03"), Some(TtySignal::Interrupt));
    assert_eq!(read(&mut tty, 9), None);
    assert_eq!(shown(&mut tty), b"^C");
    let mut settings = Termios::INITIAL;
    settings.local |= LocalModes::NOFLSH.bits();
    tty.set(settings);
    assert_eq!(type_in(&mut tty, b"one\n\x1c"), Some(TtySignal::Quit));
    assert_eq!(read(&mut tty, 9).unwrap(), b"one\n");
    settings.local &= !LocalModes::ISIG.bits();
    tty.set(settings);
    assert_eq!(type_in(&mut tty, b"\x1a\n"), None);
    assert_eq!(read(&mut tty, 9).unwrap(), b"\x1a\n");
}

#[test]
fn raw_input_arrives_untouched_when_the_minimum_is_there() {
    let mut tty = Tty::default();
    tty.set(raw(3));
    type_in(&mut tty, b"\r\x03");
    assert!(!tty.is_readable());
    assert_eq!(read(&mut tty, 9), None);
    assert_eq!(read(&mut tty, 1).unwrap(), b"\r");
    type_in(&mut tty, b"\x04\x7f");
    assert!(tty.is_readable());
    assert_eq!(read(&mut tty, 9).unwrap(), b"\x03\x04\x7f");
    assert_eq!(shown(&mut tty), b"");
    tty.set(raw(0));
    assert!(!tty.is_readable());
    assert_eq!(read(&mut tty, 9).unwrap(), b"");
}

#[test]
fn typed_input_survives_a_change_of_mode() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"a\nb");
    tty.set(raw(1));
    assert_eq!(read(&mut tty, 9).unwrap(), b"a\nb");
    type_in(&mut tty, b"cd");
    tty.set(Termios::INITIAL);
    assert_eq!(read(&mut tty, 9).unwrap(), b"cd");
    assert_eq!(read(&mut tty, 9), None);
}

#[test]
fn a_line_that_is_too_long_is_cut_and_still_ends() {
    let mut tty = Tty::default();
    type_in(&mut tty, &[b'x'; 2 * INPUT_MAX]);
    assert!(tty.has_room());
    type_in(&mut tty, b"\n");
    assert!(!tty.has_room());
    let line = read(&mut tty, 2 * INPUT_MAX).unwrap();
    assert_eq!((line.len(), line.last()), (INPUT_MAX, Some(&b'\n')));
    assert!(tty.has_room());
}

#[test]
fn raw_input_asks_the_wire_to_wait_before_anything_is_lost() {
    let mut tty = Tty::default();
    tty.set(raw(1));
    let mut count = 0;
    while tty.has_room() {
        tty.receive(b'x');
        count += 1;
    }
    assert_eq!(read(&mut tty, 2 * INPUT_MAX).unwrap().len(), count);
}

#[test]
fn output_gets_its_carriage_returns_and_tabs() {
    let mut tty = Tty::default();
    assert_eq!(write(&mut tty, b"a\nb"), 3);
    assert_eq!(shown(&mut tty), b"a\r\nb");
    let mut settings = Termios::INITIAL;
    settings.output |= (OutputModes::XTABS | OutputModes::ONOCR).bits();
    tty.set(settings);
    write(&mut tty, b"\n\rab\tc");
    assert_eq!(shown(&mut tty), b"\r\nab      c");
    tty.set(raw(1));
    write(&mut tty, b"\n\t");
    assert_eq!(shown(&mut tty), b"\n\t");
}

#[test]
fn a_full_output_queue_takes_the_rest_later_and_loses_nothing() {
    let mut tty = Tty::default();
    let lines = [b'\n'; 3 * OUTPUT_MAX];
    let mut rest = &lines[..];
    let mut seen = 0;
    while !rest.is_empty() {
        assert!(tty.is_writable());
        assert!(tty.write(&mut rest) > 0);
        assert!(rest.is_empty() || !tty.is_writable());
        assert!(tty.unsent_bytes() <= OUTPUT_MAX);
        seen += shown(&mut tty).len();
    }
    assert_eq!(seen, 2 * lines.len());
}

#[test]
fn stop_holds_the_output_until_start() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"\x13");
    write(&mut tty, b"held");
    assert_eq!(tty.to_send(), b"");
    type_in(&mut tty, b"\x11");
    assert_eq!(shown(&mut tty), b"held");
    type_in(&mut tty, b"\x13");
    let settings = Termios { input: Termios::INITIAL.input & !InputModes::IXON.bits(), ..Termios::INITIAL };
    tty.set(settings);
    write(&mut tty, b"free");
    assert_eq!(shown(&mut tty), b"free");
}

#[test]
fn flushing_forgets_one_side_only() {
    let mut tty = Tty::default();
    type_in(&mut tty, b"in\n");
    tty.flush(Flush::Output);
    assert_eq!((shown(&mut tty), read(&mut tty, 9).unwrap()), (vec![], b"in\n".to_vec()));
    type_in(&mut tty, b"in\n");
    tty.flush(Flush::Input);
    assert_eq!((shown(&mut tty), read(&mut tty, 9)), (b"in\r\n".to_vec(), None));
}
