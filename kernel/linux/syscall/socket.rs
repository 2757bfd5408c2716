//! socket(2), and what socket calls need to know of their caller.
//!
//! Owns: which family and type is which kind of socket, and the files of local sockets in the tree.
//! Not here: the other calls (net/syscall), what sockets do (`net`, `unix`, `netlink`).
//! Source: Linux 6.1 net/socket.c, net/ipv4/af_inet.c (`inet_create`), net/unix/af_unix.c (`unix_create`,
//! `unix_bind_bsd`, `unix_find_bsd`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::access::Access;
use rules::linux::netlink::request::Privilege;
use rules::linux::unix::socket::Kind;
use rules::net::abi::socket::{IPPROTO_TCP, IPPROTO_UDP, NETLINK_ROUTE, SocketFlags, Ucred, family, kind};

use super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::syscall::caller::Right;
use crate::linux::fs::mount::Location;
use crate::linux::fs::namei::{self, NewFile};
use crate::linux::fs::path::{self, LastLink};
use crate::linux::fs::stat;
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::{netlink, unix};
use crate::net::socket::{FileId, SocketCaller};
use crate::net::{tcp, udp};

/// The bound of protocol numbers: `IPPROTO_MAX`.
const PROTOCOLS: u32 = 263;

/// The type of a socket and its flags, which programs pass in one number.
pub(super) struct Type {
    /// `SOCK_STREAM` and others.
    pub(super) kind: u32,
    /// The flags, converted to those of open(2).
    pub(super) flags: OpenFlags,
}

impl Type {
    /// Splits the number into type and flags.
    ///
    /// # Errors
    /// `EINVAL`: an unknown flag.
    pub(super) fn parse(number: u32) -> Result<Self, Errno> {
        let flags = SocketFlags::from_bits(number & !kind::SOCK_TYPE_MASK).ok_or(Errno::EINVAL)?;
        let flags = OpenFlags::from_bits_truncate(flags.bits());
        Ok(Self { kind: number & kind::SOCK_TYPE_MASK, flags })
    }

    /// Returns the kind of a local socket of this type.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT`: an unknown protocol. `ESOCKTNOSUPPORT`: an unknown type.
    pub(super) fn local(&self, protocol: u32) -> Result<Kind, Errno> {
        if protocol != 0 && protocol != u32::from(family::AF_UNIX) {
            return Err(Errno::EPROTONOSUPPORT);
        }
        match self.kind {
            kind::SOCK_STREAM => Ok(Kind::Stream),
            kind::SOCK_SEQPACKET => Ok(Kind::SeqPacket),
            // As on Linux, SOCK_RAW stands for SOCK_DGRAM.
            kind::SOCK_DGRAM | kind::SOCK_RAW => Ok(Kind::Datagram),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        }
    }
}

/// Creates a socket and returns its descriptor.
///
/// # Errors
/// `EINVAL`: an unknown flag or type, or an invalid protocol number. `EAFNOSUPPORT`: an unsupported family.
/// `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: a type or protocol that the family does not support. `EMFILE`: no descriptor
/// is free. `ENOMEM`.
pub(crate) fn socket(cx: &mut Context<'_>, family: u32, kind: u32, protocol: u32) -> SysResult {
    let kind = Type::parse(kind)?;
    if family >= family::AF_MAX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind.kind >= kind::SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    let file = match u16::try_from(family) {
        Ok(family::AF_INET) => create_inet(cx, &kind, protocol),
        Ok(family::AF_UNIX) => unix::create(kind.local(protocol)?, kind.flags, cx.identity().uid),
        Ok(family::AF_NETLINK) => create_netlink(cx, &kind, protocol),
        _ => Err(Errno::EAFNOSUPPORT),
    }?;
    cx.files().open(file, OnExec::from_flags(kind.flags), cx.file_limit()).map(Fd::index)
}

fn create_inet(cx: &Context<'_>, kind: &Type, protocol: u32) -> Result<Arc<OpenFile>, Errno> {
    let uid = cx.identity().uid;
    match (kind.kind, protocol) {
        (_, PROTOCOLS..) => Err(Errno::EINVAL),
        (kind::SOCK_STREAM, 0 | IPPROTO_TCP) => tcp::create(kind.flags, uid),
        (kind::SOCK_DGRAM, 0 | IPPROTO_UDP) => udp::create(kind.flags, uid),
        (kind::SOCK_STREAM | kind::SOCK_DGRAM, _) | (kind::SOCK_RAW, 0) => Err(Errno::EPROTONOSUPPORT),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

fn create_netlink(cx: &Context<'_>, kind: &Type, protocol: u32) -> Result<Arc<OpenFile>, Errno> {
    match (kind.kind, protocol) {
        (kind::SOCK_RAW | kind::SOCK_DGRAM, NETLINK_ROUTE) => {
            let may_change = Caller::may(cx, Right::AdministerNetwork);
            let privilege = if may_change { Privilege::Root } else { Privilege::None };
            netlink::create(kind.kind, kind.flags, cx.identity(), privilege)
        }
        (kind::SOCK_RAW | kind::SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

impl SocketCaller for Context<'_> {
    fn identity(&self) -> Ucred {
        let credentials = self.credentials();
        Ucred {
            pid: self.process().pid(),
            uid: credentials.users.effective,
            gid: credentials.groups.effective,
        }
    }

    fn may(&self, right: Right) -> bool {
        Caller::may(self, right)
    }

    fn make_socket_file(&self, path: &[u8]) -> Result<FileId, Errno> {
        let new = NewFile::Special(Content::Socket);
        let made = namei::make(&self.origin(), path, new, Permissions::from_mode(0o777));
        let in_use = |error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error };
        made.map(|location| id(&location)).map_err(in_use)
    }

    fn remove_socket_file(&self, path: &[u8]) {
        // Another thread may have removed the file already.
        let _ = namei::unlink(&self.origin(), path);
    }

    fn find_socket_file(&self, path: &[u8]) -> Result<FileId, Errno> {
        let origin = self.origin();
        let location = path::lookup(&origin, path, LastLink::Follow)?;
        location.inode.check(&origin.credentials, Access::WRITE)?;
        if location.inode.file_type() != FileType::Socket {
            return Err(Errno::ECONNREFUSED);
        }
        Ok(id(&location))
    }
}

fn id(location: &Location) -> FileId {
    let stat = stat::stat(&location.inode);
    FileId { device: stat.device, inode: stat.inode }
}
