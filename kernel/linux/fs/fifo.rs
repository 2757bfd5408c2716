//! FIFOs: pipes with a name in the tree.
//!
//! Owns: which pipe belongs to an inode.   Not here: the pipe (`core/object/pipe`), waiting for the other end
//! (`syscall/open`).
//! Invariant: an inode has at most one pipe at a time, which exists while an end is open.
//! Source: fifo(7); Linux 6.1 fs/pipe.c (`fifo_open`).

use alloc::sync::{Arc, Weak};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};

use crate::core::file::traits::File;
use crate::core::object::pipe::Pipe;

/// The pipe of a FIFO's inode, if it is open.
pub(crate) struct Fifo(SpinLock<Weak<Pipe>>);

impl Fifo {
    /// Makes a FIFO that is not open.
    pub(crate) const fn new() -> Self {
        Self(SpinLock::new(Weak::new()))
    }

    /// Opens an end.
    ///
    /// # Errors
    /// Those of [`Pipe::open`].
    pub(crate) fn open(&self, access: AccessMode, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let pipe = {
            let mut current = self.0.lock();
            current.upgrade().unwrap_or_else(|| {
                let pipe = Arc::new(Pipe::new(None));
                *current = Arc::downgrade(&pipe);
                pipe
            })
        };
        pipe.open(access, flags)
    }
}
