//! FIFOs, as far as the tree goes: the inode names a pipe.
//!
//! Not here: the pipe, which is an object; `start` joins the two.

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use spin::Once;

use crate::core::file::file::File;

/// Opens the pipe of the FIFO whose inode says this of itself; an error is what open(2) returns.
pub(crate) type Opener = fn(&Stat, AccessMode, OpenFlags) -> Result<Arc<dyn File>, Errno>;

static OPENER: Once<Opener> = Once::new();

/// Lets `opener` open all FIFOs from now on. The first caller wins.
pub(crate) fn register(opener: Opener) {
    OPENER.call_once(|| opener);
}

/// Opens a FIFO.
///
/// # Errors
/// `ENXIO`: for writing only with `O_NONBLOCK`, and nobody reads; or before there are pipes.
pub(super) fn open(inode: &Stat, access: AccessMode, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let opener = OPENER.get().ok_or(Errno::ENXIO)?;
    opener(inode, access, flags)
}
