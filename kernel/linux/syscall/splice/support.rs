//! Which files splice(2) reads and writes: those with `splice_read` and `splice_write` on Linux 6.1.

use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::device::nodes;
use crate::linux::fs::opened::OpenedAt;
use crate::linux::fs::tmpfs::inode::{Content, Inode};

/// Returns whether splice(2) can read it: sockets, terminals, regular files, `/dev/random` and most texts in `/proc`.
pub(super) fn is_readable(file: &OpenFile) -> bool {
    has_bytes(file, |content| match content {
        Content::Device(_, device) => [nodes::RANDOM, nodes::URANDOM].contains(device),
        Content::GeneratedFile(file) => !matches!(file.changes, FileChanges::Refused),
        Content::Regular(_) => true,
        _ => false,
    })
}

/// Returns whether splice(2) and sendfile(2) can write it: sockets, terminals, regular files, `/dev/null` and
/// `/dev/random`.
pub(in super::super) fn is_writable(file: &OpenFile) -> bool {
    has_bytes(file, |content| match content {
        Content::Device(_, device) => [nodes::NULL, nodes::RANDOM, nodes::URANDOM].contains(device),
        Content::Regular(_) => true,
        _ => false,
    })
}

fn has_bytes(file: &OpenFile, of: impl Fn(&Content) -> bool) -> bool {
    match file.file().class() {
        Class::Socket | Class::Console | Class::Pty => true,
        Class::Inode => match file.location::<OpenedAt>() {
            Some(at) => of(at.location().inode.content()),
            None => file.downcast::<Inode>().is_some_and(|inode| of(inode.content())),
        },
        _ => false,
    }
}
