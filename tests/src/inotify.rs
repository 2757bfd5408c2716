//! The calls of inotify(7), and its events.

use std::ffi::CString;
use std::path::Path;

use crate::fd::Fd;
use crate::sys::{self, Result};

/// An event, as read(2) returns it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The watch that it belongs to; -1 for an overflow.
    pub watch: i32,
    /// What happened.
    pub mask: u32,
    /// Joins the two events of a rename; otherwise 0.
    pub cookie: u32,
    /// The name in the directory, empty for the file itself.
    pub name: String,
}

/// Returns the event of a watched file itself.
pub fn own(watch: i32, mask: u32) -> Event {
    named(watch, mask, "")
}

/// Returns the event of `name` in a watched directory.
pub fn named(watch: i32, mask: u32, name: &str) -> Event {
    Event { watch, mask, cookie: 0, name: name.to_owned() }
}

/// The size of an event without its name.
pub const HEADER: usize = 16;

/// Calls inotify_init1(2).
pub fn init(flags: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    let made = unsafe { sys::call(libc::SYS_inotify_init1, [flags as usize]) };
    made.map(|number| Fd::from_number(number as i32))
}

/// Makes an instance that does not block.
pub fn instance() -> Fd {
    init(libc::IN_NONBLOCK).expect("an inotify instance")
}

/// Calls inotify_add_watch(2).
pub fn add(instance: &Fd, path: impl AsRef<Path>, mask: u32) -> Result<i32> {
    let path =
        CString::new(path.as_ref().to_str().expect("a path in UTF-8")).expect("a path without NUL");
    add_at(instance.number(), path.as_ptr().addr(), mask)
}

/// Calls inotify_add_watch(2) with the address of a path.
pub fn add_at(instance: i32, path: usize, mask: u32) -> Result<i32> {
    // SAFETY: the kernel only reads.
    let added =
        unsafe { sys::call(libc::SYS_inotify_add_watch, [instance as usize, path, mask as usize]) };
    added.map(|watch| watch as i32)
}

/// Calls inotify_rm_watch(2).
pub fn remove(instance: &Fd, watch: i32) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_inotify_rm_watch, [instance.number() as usize, watch as usize]) }
}

/// Reads all events that are queued.
pub fn events(instance: &Fd) -> Vec<Event> {
    let mut events = Vec::new();
    while let Ok(bytes) = instance.read(1 << 16) {
        events.extend(parse(&bytes));
    }
    events
}

/// Splits what read(2) returned into events.
pub fn parse(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let word = |index: usize| u32::from_ne_bytes(bytes[index * 4..][..4].try_into().unwrap());
        let (name, rest) = bytes[HEADER..].split_at(word(3) as usize);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        assert!(name[end..].iter().all(|byte| *byte == 0), "the padding is zero");
        let name = String::from_utf8(name[..end].to_vec()).expect("a name in UTF-8");
        events.push(Event { watch: word(0) as i32, mask: word(1), cookie: word(2), name });
        bytes = rest;
    }
    events
}
