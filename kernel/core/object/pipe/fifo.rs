//! FIFOs: pipes with a name in the file tree.
//!
//! Owns: the map from inodes to their pipes.   Not here: names (`linux/fs`), waiting for the other end
//! (`core/syscall/blocking`).
//! Invariant: an inode has at most one pipe at a time, which exists while an end is open.
//! Source: fifo(7); Linux 6.1 fs/pipe.c (`fifo_open`).

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use ostd::sync::SpinLock;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::pipe::End;

use super::{Name, Pipe, PipeEnd};
use crate::core::file::traits::File;

/// The inode of a FIFO.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FifoId {
    /// The file system's device number.
    pub(crate) device: u64,
    /// The inode's number there.
    pub(crate) inode: u64,
}

static FIFOS: SpinLock<BTreeMap<FifoId, Weak<Pipe>>> = SpinLock::new(BTreeMap::new());

/// Opens an end of the FIFO. A blocking open(2) then waits for the other end ([`File::finish_open`]).
///
/// # Errors
/// No end was opened. `ENXIO`: for writing only with `O_NONBLOCK`, and no reader has it open.
pub(crate) fn open(id: FifoId, access: AccessMode, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let pipe = {
        let mut fifos = FIFOS.lock();
        let known = fifos.get(&id).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let pipe = Arc::new(Pipe::new(Name::Fifo(id)));
            fifos.insert(id, Arc::downgrade(&pipe));
            pipe
        })
    };
    let has_no_reader = || pipe.state.read().is_closed(End::Reader);
    if access == AccessMode::Write && flags.contains(OpenFlags::NONBLOCK) && has_no_reader() {
        return Err(Errno::ENXIO);
    }
    let end = PipeEnd::open(pipe.clone(), access, flags);
    // A thread that waits for this end to be opened waits to read or to write. For other waiters the wake is
    // spurious.
    pipe.state.notify(Events::READABLE | Events::WRITABLE);
    Ok(Arc::new(end))
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Name::Fifo(id) = self.name {
            let mut fifos = FIFOS.lock();
            // Another open may have put a new pipe there already.
            if fifos.get(&id).is_some_and(|pipe| pipe.strong_count() == 0) {
                fifos.remove(&id);
            }
        }
    }
}
