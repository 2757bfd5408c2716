//! FIFOs: pipes that are found through a name in the tree.
//!
//! Owns: which inode's pipe is which.   Not here: names (`fs`), waiting for the other end (`syscall/open`).
//! Invariant: an inode has at most one pipe at a time: the one that somebody has open.
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

/// The inode that names a FIFO.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FifoId {
    /// The file system's device number.
    pub(crate) device: u64,
    /// The inode's number there.
    pub(crate) inode: u64,
}

static FIFOS: SpinLock<BTreeMap<FifoId, Weak<Pipe>>> = SpinLock::new(BTreeMap::new());

/// Opens the FIFO. Whoever may sleep waits for the other end after this (`File::finish_open`).
///
/// # Errors
/// `ENXIO`: for writing only with `O_NONBLOCK`, and nobody reads.
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
    let nobody_reads = || pipe.state.read().is_closed(End::Reader);
    if access == AccessMode::Write && flags.contains(OpenFlags::NONBLOCK) && nobody_reads() {
        return Err(Errno::ENXIO);
    }
    let end = PipeEnd::open(pipe.clone(), access, flags);
    // Who waits for this end to be opened waits to read or to write; others look in vain, once.
    pipe.state.wake(Events::READABLE | Events::WRITABLE);
    Ok(Arc::new(end))
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Name::Fifo(id) = self.name {
            let mut fifos = FIFOS.lock();
            // The next opener may have been faster, and put another pipe there.
            if fifos.get(&id).is_some_and(|pipe| pipe.strong_count() == 0) {
                fifos.remove(&id);
            }
        }
    }
}
