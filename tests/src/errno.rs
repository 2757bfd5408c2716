//! The error number of a system call, printed by its name.

use core::fmt;

/// The error number of a failed system call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

macro_rules! names {
    ($($name:ident)*) => {
        #[expect(missing_docs, reason = "the names of errno(3)")]
        impl Errno {
            $(pub const $name: Errno = Errno(libc::$name);)*
        }

        impl fmt::Debug for Errno {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $(libc::$name => f.write_str(stringify!($name)),)*
                    other => write!(f, "errno {other}"),
                }
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EBUSY
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS
    EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOSYS ENOTEMPTY ELOOP EOVERFLOW ETIMEDOUT
    ECANCELED EOPNOTSUPP ENOTSOCK EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EALREADY ECONNABORTED ECONNREFUSED
    ECONNRESET EDESTADDRREQ EINPROGRESS EISCONN EMSGSIZE ENETUNREACH ENOBUFS ENOPROTOOPT ENOTCONN
    EPROTONOSUPPORT ESOCKTNOSUPPORT EPROTOTYPE ETOOMANYREFS ENODATA
}
