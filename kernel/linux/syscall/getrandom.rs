//! getrandom(2). It never blocks, because the generator is seeded before programs run.
//!
//! Source: Linux 6.1 drivers/char/random.c.

use rules::abi::errno::Errno;

use super::context::{Caller, Context};
use crate::linux::fs::device::random;
use crate::machine::memory::user::UserSink;

/// getrandom(2).
pub(crate) fn getrandom(cx: &mut Context<'_>, to: usize, length: usize, flags: u32) -> Result<usize, Errno> {
    const NONBLOCK: u32 = 1;
    const RANDOM: u32 = 2;
    const INSECURE: u32 = 4;
    let contradicts = flags & (RANDOM | INSECURE) == RANDOM | INSECURE;
    if flags & !(NONBLOCK | RANDOM | INSECURE) != 0 || contradicts {
        return Err(Errno::EINVAL);
    }
    random::fill(&mut UserSink::buffer(cx.space(), to, length)?)
}
