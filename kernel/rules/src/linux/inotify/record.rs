//! An event as read(2) returns it: `struct inotify_event`.
//!
//! Source: inotify(7); Linux 6.1 fs/notify/inotify/inotify_user.c (`copy_event_to_user`, `round_event_name_len`).

use alloc::sync::Arc;

use super::mask::Happened;

/// The number of a watch in its instance: `wd`.
pub type WatchNumber = i32;

/// The number of bytes before the name; the name and its padding are a multiple of it.
pub const HEADER: usize = 16;

/// An event of a watch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The watch; -1 for an overflow.
    pub watch: WatchNumber,
    /// What happened.
    pub happened: Happened,
    /// Joins the two events of a rename; otherwise 0.
    pub cookie: u32,
    /// The name in a watched directory; empty for the watched file itself.
    pub name: Name,
}

/// A name, shared with the directory that has it.
pub type Name = Option<Arc<[u8]>>;

impl Event {
    /// Makes an event of the watched file itself.
    #[must_use]
    pub const fn own(watch: WatchNumber, happened: Happened) -> Self {
        Self { watch, happened, cookie: 0, name: None }
    }

    /// Returns whether `self`, the last event in a queue, stands for `other` as well. Cookies do not count, as on
    /// Linux.
    #[must_use]
    pub fn stands_for(&self, other: &Self) -> bool {
        !self.happened.contains(Happened::IGNORED)
            && (self.watch, self.happened) == (other.watch, other.happened)
            && self.name == other.name
    }

    /// Returns the number of bytes of the record.
    #[must_use]
    pub fn size(&self) -> usize {
        HEADER + self.padded()
    }

    /// Returns the header.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER] {
        let words = [self.watch.cast_unsigned(), self.happened.bits(), self.cookie, self.padded() as u32];
        let mut bytes = [0; HEADER];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Returns the name's bytes.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.name.as_deref().unwrap_or_default()
    }

    /// Returns the length of the name with the zero bytes behind it.
    #[must_use]
    pub fn padded(&self) -> usize {
        match self.name() {
            [] => 0,
            name => (name.len() + 1).next_multiple_of(HEADER),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn event(name: &[u8]) -> Event {
        Event { watch: 3, happened: Happened::CREATE, cookie: 9, name: Some(name.into()) }
    }

    #[test]
    fn the_name_ends_with_a_zero_byte_and_fills_whole_headers() {
        assert_eq!(Event::own(1, Happened::OPEN).size(), 16);
        for (len, padded) in [(1, 16), (15, 16), (16, 32), (31, 32), (255, 256)] {
            assert_eq!(event(&[b'n'; 255][..len]).padded(), padded);
        }
    }

    #[test]
    fn the_header_has_four_words() {
        let header = event(b"abc").header();
        let words: Vec<u32> =
            header.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words, [3, 0x100, 9, 16]);
    }

    #[test]
    fn equal_events_are_one_whatever_their_cookies() {
        let (one, mut two) = (event(b"a"), event(b"a"));
        two.cookie = 0;
        assert!(one.stands_for(&two));
        assert!(!one.stands_for(&event(b"b")));
        assert!(!one.stands_for(&Event::own(3, Happened::CREATE)));
        let ignored = Event::own(3, Happened::IGNORED);
        assert!(!ignored.stands_for(&ignored));
    }
}
