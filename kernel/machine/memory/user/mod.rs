//! Copies between the kernel and user memory.
//!
//! A user address is only a claim. A [`UserSlice`] proves that its range lies in user space. Only a copy proves that
//! something is mapped there, and only for the moment of the copy.

mod atomic;
mod buffers;
mod bulk;
mod iovec;
mod pointer;
mod slice;
mod string;
mod window;

pub(crate) use self::atomic::UserAtomic;
pub(crate) use self::buffers::{UserSink, UserSource};
#[cfg(ktest)]
pub(crate) use self::iovec::IOV_MAX;
pub(crate) use self::iovec::MAX_RW_COUNT;
pub(crate) use self::pointer::UserPtr;
pub(crate) use self::slice::UserSlice;
pub(crate) use self::string::{PATH_MAX, read_path, read_string, read_string_array};
