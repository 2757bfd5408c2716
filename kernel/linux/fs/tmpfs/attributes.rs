//! What stat(2) tells of an inode beside its type, number and size.

use rules::abi::mode::Permissions;
use rules::abi::stat::Timestamp;
use rules::linux::capability::Capability;
use rules::linux::credentials::Credentials;

use crate::linux::fs::time;

/// The changeable facts about an inode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    /// The permission bits.
    pub(crate) permissions: Permissions,
    /// The owner.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
    /// Names that lead here; a directory counts its own `.` and each child's `..`.
    pub(crate) links: u32,
    /// Whether it may get a name though it has none: it was made so (`O_TMPFILE`).
    pub(crate) is_linkable: bool,
    /// Last read, kept as `relatime` does: see [`Attributes::mark_accessed`].
    pub(crate) accessed: Timestamp,
    /// Last write.
    pub(crate) modified: Timestamp,
    /// Last change of contents or attributes.
    pub(crate) changed: Timestamp,
    /// Creation.
    pub(crate) born: Timestamp,
}

impl Attributes {
    /// Those of a new inode that no name leads to yet.
    pub(crate) fn new(permissions: Permissions, owner: Credentials) -> Self {
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

    /// Notes a read. Only the first one after a change and one a day are worth a write: `relatime`, the
    /// default of mount(8).
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

    /// Takes away what gives rights to whoever executes the file, because `by` changes its contents
    /// (`file_remove_privs`).
    pub(crate) fn drop_rights(&mut self, by: &Credentials) {
        if by.can(Capability::FSETID) {
            return;
        }
        let mut given = Permissions::SET_UID;
        if self.permissions.contains(Permissions::GROUP_EXECUTE) || by.gid() != self.gid {
            given |= Permissions::SET_GID;
        }
        if self.permissions.intersects(given) {
            self.permissions -= given;
            self.mark_changed();
        }
    }

    /// Notes a change of the attributes themselves.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = time::now();
    }
}
