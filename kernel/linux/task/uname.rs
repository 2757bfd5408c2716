//! The names of this machine, which programs may change: uname(2), sethostname(2), setdomainname(2).
//!
//! Source: uname(2); Linux 6.1 kernel/sys.c (`sethostname`), kernel/utsname_sysctl.c (`proc_do_uts_string`).

use alloc::vec::Vec;

use ostd::sync::SpinLock;
use rules::linux::abi::utsname;

use crate::linux::fs::changes::Changes;

/// The most bytes of a name: `__NEW_UTS_LEN`.
pub(crate) const MOST: usize = 64;

/// A name, and who is told of its changes.
pub(crate) struct MachineName {
    /// The bytes, and how many of them count.
    name: SpinLock<([u8; MOST], usize)>,
    /// Told after each change, even to the same name.
    pub(crate) changes: Changes,
}

/// `nodename`.
pub(crate) static HOST: MachineName = MachineName::new(utsname::HOST);

/// `domainname`.
pub(crate) static DOMAIN: MachineName = MachineName::new(utsname::DOMAIN);

impl MachineName {
    const fn new(first: &str) -> Self {
        let mut bytes = [0; MOST];
        let (start, _) = bytes.split_at_mut(first.len());
        start.copy_from_slice(first.as_bytes());
        Self { name: SpinLock::new((bytes, first.len())), changes: Changes::new() }
    }

    /// Returns the name.
    pub(crate) fn get(&self) -> Vec<u8> {
        let (bytes, len) = *self.name.lock();
        bytes[..len].to_vec()
    }

    /// Sets the name to the first [`MOST`] bytes of `name`.
    pub(crate) fn set(&self, name: &[u8]) {
        let mut bytes = [0; MOST];
        let len = name.len().min(MOST);
        bytes[..len].copy_from_slice(&name[..len]);
        *self.name.lock() = (bytes, len);
        self.changes.tell();
    }
}
