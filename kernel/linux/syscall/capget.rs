//! capget(2), capset(2).
//!
//! Not here: which capabilities may be set (`rules::linux::capability`).
//! Source: Linux 6.1 kernel/capability.c.

use rules::abi::errno::Errno;
use rules::linux::capability::{CapabilitySet, CapabilitySets};

use super::context::{Caller, Context, SysResult};
use crate::linux::task::process_table;
use crate::machine::memory::user::UserPtr;

/// The version that a caller with an unknown one is told (`_LINUX_CAPABILITY_VERSION_3`).
const NEWEST: u32 = 0x2008_0522;

/// The known versions: the first has 32 capabilities, the others 64.
const VERSIONS: [u32; 3] = [0x1998_0330, 0x2007_1026, NEWEST];

/// capget(2): returns the capabilities of the thread in `header`; without `data`, only the newest version.
///
/// # Errors
/// `EINVAL`: unknown version, or a negative ID. `ESRCH`: no such thread. `EFAULT`.
pub(crate) fn capget(cx: &mut Context<'_>, header: usize, data: usize) -> SysResult {
    let version = match version(cx, header) {
        Err(Errno::EINVAL) if data == 0 => return Ok(0),
        version => version?,
    };
    if data == 0 {
        return Ok(0);
    }
    let sets = match tid(cx, header)? {
        0 => words(&cx.credentials().capabilities),
        tid if tid < 0 => return Err(Errno::EINVAL),
        tid => {
            let thread = process_table::find_thread(tid.unsigned_abs()).ok_or(Errno::ESRCH)?;
            words(&thread.process().credentials.lock().capabilities)
        }
    };
    if version == VERSIONS[0] {
        let [effective, permitted, inheritable, ..] = sets;
        UserPtr::new(cx.space(), data).write(&[effective, permitted, inheritable])?;
    } else {
        UserPtr::new(cx.space(), data).write(&sets)?;
    }
    Ok(0)
}

/// capset(2).
///
/// # Errors
/// `EINVAL`: unknown version. `EPERM`: another thread, or those of [`CapabilitySets::set`]. `EFAULT`.
pub(crate) fn capset(cx: &mut Context<'_>, header: usize, data: usize) -> SysResult {
    let version = version(cx, header)?;
    let tid = tid(cx, header)?;
    if tid != 0 && tid.cast_unsigned() != cx.thread().tid() {
        return Err(Errno::EPERM);
    }
    let mut words = [0u32; 6];
    if version == VERSIONS[0] {
        let asked: [u32; 3] = UserPtr::new(cx.space(), data).read()?;
        words[..3].copy_from_slice(&asked);
    } else {
        words = UserPtr::new(cx.space(), data).read()?;
    }
    let set = |at: usize| CapabilitySet::from_bits(u64::from(words[at]) | u64::from(words[at + 3]) << 32);
    cx.process().change_credentials(|own| own.capabilities.set(set(0), set(1), set(2)))?;
    Ok(0)
}

/// Reads the version in the header; replaces an unknown one there.
fn version(cx: &Context<'_>, header: usize) -> Result<u32, Errno> {
    let at = UserPtr::new(cx.space(), header);
    let version = at.read()?;
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    at.write(&NEWEST)?;
    Err(Errno::EINVAL)
}

/// Reads the thread ID in the header.
fn tid(cx: &Context<'_>, header: usize) -> Result<i32, Errno> {
    UserPtr::new(cx.space(), header.wrapping_add(size_of::<u32>())).read()
}

/// Encodes effective, permitted and inheritable: of the first 32 capabilities, then of the others.
fn words(sets: &CapabilitySets) -> [u32; 6] {
    let bits = [sets.effective, sets.permitted, sets.inheritable].map(CapabilitySet::bits);
    core::array::from_fn(|at| if at < 3 { bits[at] as u32 } else { (bits[at - 3] >> 32) as u32 })
}
