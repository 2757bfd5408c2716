//! Copies across the border between the kernel and a program.
//!
//! A user address is a claim. Possessing a [`UserSlice`] proves that the range lies in user space; that
//! something is mapped there is proven only by the copy, and only for the moment of the copy.

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
