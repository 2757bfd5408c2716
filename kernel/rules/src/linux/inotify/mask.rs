//! The bits of an event and of a watch, and which watch wants which event.
//!
//! Source: inotify(7); Linux 6.1 fs/notify/inotify/inotify_user.c (`inotify_arg_to_mask`, `inotify_arg_to_flags`),
//! fs/notify/fsnotify.c (`fsnotify_handle_inode_event`).

use bitflags::bitflags;

use crate::abi::errno::Errno;

bitflags! {
    /// What happened to a file: the bits of an event.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Happened: u32 {
        /// `IN_ACCESS`: it was read.
        const ACCESS = 0x1;
        /// `IN_MODIFY`: it was written or truncated.
        const MODIFY = 0x2;
        /// `IN_ATTRIB`: its attributes changed.
        const ATTRIB = 0x4;
        /// `IN_CLOSE_WRITE`: a description that could write it was closed.
        const CLOSE_WRITE = 0x8;
        /// `IN_CLOSE_NOWRITE`: another description of it was closed.
        const CLOSE_NOWRITE = 0x10;
        /// `IN_OPEN`.
        const OPEN = 0x20;
        /// `IN_MOVED_FROM`: a name left the directory.
        const MOVED_FROM = 0x40;
        /// `IN_MOVED_TO`: a name came to the directory.
        const MOVED_TO = 0x80;
        /// `IN_CREATE`: a name was made in the directory.
        const CREATE = 0x100;
        /// `IN_DELETE`: a name was removed from the directory.
        const DELETE = 0x200;
        /// `IN_DELETE_SELF`: the file is gone.
        const DELETE_SELF = 0x400;
        /// `IN_MOVE_SELF`: the file has another name.
        const MOVE_SELF = 0x800;
        /// `IN_UNMOUNT`: its file system is gone.
        const UNMOUNT = 0x2000;
        /// `IN_Q_OVERFLOW`: events were lost.
        const OVERFLOW = 0x4000;
        /// `IN_IGNORED`: the watch has ended.
        const IGNORED = 0x8000;
        /// `IN_ISDIR`: it is a directory.
        const DIRECTORY = 0x4000_0000;
    }
}

bitflags! {
    /// How a watch is added: the other bits of inotify_add_watch(2)'s mask.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct WatchFlags: u32 {
        /// `IN_ONLYDIR`: the path must lead to a directory.
        const ONLY_DIRECTORY = 0x0100_0000;
        /// `IN_DONT_FOLLOW`: a symbolic link at the end of the path is watched itself.
        const DONT_FOLLOW = 0x0200_0000;
        /// `IN_EXCL_UNLINK`: names that were removed say nothing.
        const EXCLUDE_UNLINKED = 0x0400_0000;
        /// `IN_MASK_CREATE`: there must be no watch yet.
        const MASK_CREATE = 0x1000_0000;
        /// `IN_MASK_ADD`: the mask is added to that of the watch.
        const MASK_ADD = 0x2000_0000;
        /// `IN_ONESHOT`: the first event ends the watch.
        const ONESHOT = 0x8000_0000;
    }
}

impl Happened {
    /// `IN_ALL_EVENTS`: what a program can ask for.
    pub const ALL: Self = Self::from_bits_retain(0xfff);

    /// Returns the bits as an event of a file itself shows them: `IN_ISDIR` is missing from two of them, as it always
    /// was.
    #[must_use]
    pub fn shown(self) -> Self {
        if self.intersects(Self::MOVE_SELF | Self::DELETE_SELF) { self - Self::DIRECTORY } else { self }
    }
}

/// A request of inotify_add_watch(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The events.
    pub wanted: Happened,
    /// How the watch is added.
    pub flags: WatchFlags,
}

impl Request {
    /// Parses a mask.
    ///
    /// # Errors
    /// `EINVAL`: no bit, or an unknown one.
    pub fn parse(mask: u32) -> Result<Self, Errno> {
        let known = Happened::all().bits() | WatchFlags::all().bits();
        if mask == 0 || mask & !known != 0 {
            return Err(Errno::EINVAL);
        }
        let wanted = Happened::from_bits_truncate(mask) & Happened::ALL;
        Ok(Self { wanted, flags: WatchFlags::from_bits_truncate(mask) })
    }
}

/// Whether the name through which an event came still leads to the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameState {
    /// It does, or the event has nothing to do with an open file.
    Present,
    /// It was removed while the file was open.
    Removed,
}

/// What a watch wants.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    events: Happened,
    flags: WatchFlags,
}

impl Wanted {
    /// The flags that a watch keeps.
    const KEPT: WatchFlags = WatchFlags::EXCLUDE_UNLINKED.union(WatchFlags::ONESHOT);

    /// Changes what is wanted to `request`, or adds that with `IN_MASK_ADD`.
    pub fn update(&mut self, request: Request) {
        if !request.flags.contains(WatchFlags::MASK_ADD) {
            *self = Self::default();
        }
        // The end of the file system is told to everybody.
        self.events |= request.wanted | Happened::UNMOUNT;
        self.flags |= request.flags & Self::KEPT;
    }

    /// Returns the events, which include [`Happened::UNMOUNT`].
    #[must_use]
    pub const fn events(self) -> Happened {
        self.events
    }

    /// Returns whether the first event ends the watch.
    #[must_use]
    pub const fn is_oneshot(self) -> bool {
        self.flags.contains(WatchFlags::ONESHOT)
    }

    /// Returns whether `happened` is wanted.
    #[must_use]
    pub fn matches(self, happened: Happened, name: NameState) -> bool {
        let is_excluded = name == NameState::Removed && self.flags.contains(WatchFlags::EXCLUDE_UNLINKED);
        self.events.intersects(happened) && !is_excluded
    }

    /// Returns the bits that a program has asked for, for `fdinfo`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.events.intersection(Happened::ALL).bits() | self.flags.bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(mask: u32) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.update(Request::parse(mask).unwrap());
        wanted
    }

    #[test]
    fn a_mask_has_one_known_bit_at_least() {
        for mask in [0, 0x1000, 0x0800_0000, 1 | 0x1_0000] {
            assert_eq!(Request::parse(mask), Err(Errno::EINVAL));
        }
        // As on Linux, bits of events that come unasked are accepted and mean nothing.
        assert_eq!(Request::parse(0x4000_e000).unwrap().wanted, Happened::empty());
    }

    #[test]
    fn a_new_mask_replaces_the_old_one_or_is_added() {
        let mut wanted = parsed(0x8000_0001);
        wanted.update(Request::parse(0x2000_0002).unwrap());
        assert!(wanted.is_oneshot());
        assert_eq!(wanted.bits(), 0x8000_0003);
        wanted.update(Request::parse(0x4).unwrap());
        assert!(!wanted.is_oneshot());
        assert_eq!(wanted.bits(), 4);
    }

    #[test]
    fn everybody_wants_to_know_of_the_end() {
        assert!(parsed(1).matches(Happened::UNMOUNT | Happened::DIRECTORY, NameState::Present));
        assert!(!parsed(1).matches(Happened::MODIFY | Happened::DIRECTORY, NameState::Present));
    }

    #[test]
    fn removed_names_can_be_excluded() {
        assert!(parsed(2).matches(Happened::MODIFY, NameState::Removed));
        let excluding = parsed(0x0400_0002);
        assert!(!excluding.matches(Happened::MODIFY, NameState::Removed));
        assert!(excluding.matches(Happened::MODIFY, NameState::Present));
    }

    #[test]
    fn two_events_hide_that_it_is_a_directory() {
        let directory = Happened::DIRECTORY;
        assert_eq!((Happened::DELETE_SELF | directory).shown(), Happened::DELETE_SELF);
        assert_eq!((Happened::UNMOUNT | directory).shown(), Happened::UNMOUNT | directory);
    }
}
