//! Where an open file description was opened, and what its users are told of it.
//!
//! Owns: the events of opening, closing, reading and writing.   Not here: the description (`core/file`).
//! Source: Linux 6.1 include/linux/fsnotify.h (`fsnotify_open`, `fsnotify_close`).

use rules::abi::open::AccessMode;
use rules::abi::stat::Stat;
use rules::linux::inotify::mask::Happened;

use super::mount::Location;
use super::{notify, stat};
use crate::core::file::location;

/// The place in the tree at which a file is open. Made and dropped, it tells those who watch the file.
pub(crate) struct OpenedAt {
    location: Location,
    access: AccessMode,
    tells: Tells,
}

/// Whether those who watch the file are told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tells {
    /// Of its opening, of each use, and of its end.
    Everything,
    /// Of nothing: `O_PATH`, and files that nobody can know before they are open.
    Nothing,
}

impl OpenedAt {
    /// Opens the file at `location`.
    pub(crate) fn new(location: Location, access: AccessMode, tells: Tells) -> Self {
        let opened = Self { location, access, tells };
        opened.notify(Happened::OPEN);
        opened
    }

    /// Returns the place.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Tells that `happened`.
    pub(crate) fn notify(&self, happened: Happened) {
        if self.tells == Tells::Everything {
            notify::of_use(&self.location, happened);
        }
    }
}

impl location::Location for OpenedAt {
    fn stat(&self) -> Stat {
        stat::stat(&self.location.inode)
    }

    fn tell(&self, transfer: AccessMode) {
        self.notify(if transfer.writes() { Happened::MODIFY } else { Happened::ACCESS });
    }
}

impl Drop for OpenedAt {
    fn drop(&mut self) {
        self.notify(if self.access.writes() { Happened::CLOSE_WRITE } else { Happened::CLOSE_NOWRITE });
    }
}
