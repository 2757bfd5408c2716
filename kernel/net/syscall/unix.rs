//! unix(7): bind(2) and connect(2) of local sockets, whose names are paths.
//!
//! Not here: the sockets (`net::unix`), the tree (`fs`); this joins the two.
//! Source: Linux 6.1 net/unix/af_unix.c (`unix_bind_bsd`, `unix_find_bsd`).

use alloc::sync::Arc;

use pollee::{Events, Share};
use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::access::Access;
use rules::linux::unix::name::{Given, Name};
use rules::linux::unix::socket::Kind;

use super::socket;
use crate::core::file::description::OpenFile;
use crate::core::syscall::patience;
use crate::linux::fs::mount::Location;
use crate::linux::fs::name::{self, NewFile};
use crate::linux::fs::path::{self, LastLink};
use crate::linux::fs::stat;
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::syscall::context::{Context, SysResult};
use crate::linux::unix::names::Key;
use crate::linux::unix::{self, Endpoint, UnixSocket};
use crate::net::socket::Socket as _;

/// What the inode at `location` is known by.
fn key(location: &Location) -> Key {
    let stat = stat::stat(location);
    Key::Inode(stat.device, stat.inode)
}

/// Gives the socket a name; one with a path makes a file there.
///
/// # Errors
/// `EINVAL`: no name for a local socket, or it has one. `EADDRINUSE`: taken. Those of mknod(2).
pub(crate) fn bind(cx: &Context<'_>, socket: &UnixSocket, given: Given) -> SysResult {
    match given {
        Given::Family => socket.bind_any()?,
        Given::Name(name @ Name::Abstract(_)) => {
            socket.bind(name.clone(), Key::Abstract(socket.kind(), name))?;
        }
        Given::Name(Name::Path(path)) => {
            let origin = cx.origin();
            let new = NewFile::Special(Content::Socket);
            let made = name::make(&origin, &path, new, Permissions::from_mode(0o777));
            let location =
                made.map_err(|error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error })?;
            if let Err(error) = socket.bind(Name::Path(path.clone()), key(&location)) {
                // Nobody could use it.
                let _ = name::unlink(&origin, &path);
                return Err(error);
            }
        }
    }
    Ok(0)
}

/// The socket of this kind that has the name.
///
/// # Errors
/// `EINVAL`: no name. `ECONNREFUSED`: nobody has it. `EPROTOTYPE`: a socket of another type. `EACCES`, `ENOENT` and the
/// like: the path.
pub(crate) fn find(cx: &Context<'_>, kind: Kind, given: Given) -> Result<Arc<Endpoint>, Errno> {
    let key = match given.name()? {
        name @ Name::Abstract(_) => Key::Abstract(kind, name),
        Name::Path(path) => {
            let origin = cx.origin();
            let location = path::lookup(&origin, &path, LastLink::Follow)?;
            location.inode.check(origin.credentials, Access::WRITE)?;
            if location.inode.file_type() != FileType::Socket {
                return Err(Errno::ECONNREFUSED);
            }
            key(&location)
        }
    };
    let found = unix::find(&key)?;
    if unix::kind(&found) == kind { Ok(found) } else { Err(Errno::EPROTOTYPE) }
}

/// Connects the socket with the one that has the name.
///
/// # Errors
/// `EINVAL`: no name, or the socket listens. `ECONNREFUSED`: nobody listens there. `EPROTOTYPE`: a socket of another
/// type. `EAGAIN`: the backlog is full, and it must not wait, or not for longer. `EINTR`: a signal came first.
/// `EISCONN`: it is connected. `EPERM`: it hears datagrams of somebody else. `EACCES`, `ENOENT` and the like: the path.
pub(crate) fn connect(cx: &Context<'_>, file: &OpenFile, socket: &UnixSocket, given: Given) -> SysResult {
    let listener = find(cx, socket.kind(), given)?;
    if socket.kind() == Kind::Datagram {
        return socket.associate(Some(&listener)).map(|()| 0);
    }
    let caller = socket::caller(cx);
    let limit = socket::limit(file, socket.options().send_timeout);
    let for_room = (unix::room(&listener), Events::WRITABLE, Share::All);
    patience::until_changed(cx, for_room, limit, || socket.connect(&Arc::clone(&listener), caller))?;
    Ok(0)
}
