//! The attributes of an inode: what stat(2) reports besides type, number and size.

use rules::abi::mode::Permissions;
use rules::abi::stat::Timestamp;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;

use crate::linux::fs::time;

/// The changeable attributes of an inode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    /// The permission bits.
    pub(crate) permissions: Permissions,
    /// The owner.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
    /// Number of hard links; a directory counts its own `.` and each child's `..`.
    pub(crate) links: u32,
    /// Whether a file that was created without a name (`O_TMPFILE`) may get one.
    pub(crate) is_linkable: bool,
    /// Time of the last read, updated as by `relatime`: see [`Attributes::mark_accessed`].
    pub(crate) accessed: Timestamp,
    /// Time of the last write.
    pub(crate) modified: Timestamp,
    /// Time of the last change of contents or attributes.
    pub(crate) changed: Timestamp,
    /// Time of creation.
    pub(crate) born: Timestamp,
}

impl Attributes {
    /// Makes the attributes of a new inode without a name.
    pub(crate) fn new(permissions: Permissions, owner: &Credentials) -> Self {
        let now = time::now();
        Self {
            permissions,
            uid: owner.uid(),
            gid: owner.gid(),
            links: 0,
            is_linkable: false,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
        }
    }

    /// Notes a read. As `relatime`, mount(8)'s default, it updates the time only for the first read after a change and
    /// once a day.
    pub(crate) fn mark_accessed(&mut self) {
        const DAY: i64 = 24 * 60 * 60;
        let now = time::now();
        let stale = self.accessed <= self.modified || self.accessed <= self.changed;
        if stale || now.seconds - self.accessed.seconds >= DAY {
            self.accessed = now;
        }
    }

    /// Notes a change of the contents: bytes, or a directory's names.
    pub(crate) fn mark_modified(&mut self) {
        let now = time::now();
        self.modified = now;
        self.changed = now;
    }

    /// Clears the set-user-ID and set-group-ID bits, because `by` changes the file's contents (`file_remove_privs`).
    /// Returns whether one of them was set.
    pub(crate) fn drop_rights(&mut self, by: &Credentials) -> bool {
        if by.can(Capability::FSETID) {
            return false;
        }
        let mut given = Permissions::SET_UID;
        if self.permissions.contains(Permissions::GROUP_EXECUTE) || !by.is_in(self.gid) {
            given |= Permissions::SET_GID;
        }
        let had = self.permissions.intersects(given);
        if had {
            self.permissions -= given;
            self.mark_changed();
        }
        had
    }

    /// Notes a change of the attributes.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = time::now();
    }
}
