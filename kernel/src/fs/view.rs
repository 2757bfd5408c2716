//! What a process sees of the tree: where relative paths begin, and what new files may not permit.
//!
//! Owns: the working directory and the umask; shared by threads (`CLONE_FS`), copied by fork(2).
//! Source: chdir(2), umask(2); Linux 6.1 include/linux/fs_struct.h.

use model::abi::errno::Errno;
use model::abi::mode::Permissions;
use model::access::{Access, Credentials};
use ostd::sync::SpinLock;

use super::mount::{self, Location};
use super::path::Origin;

/// A process's place in the tree.
pub(crate) struct View {
    state: SpinLock<State>,
}

#[derive(Clone)]
struct State {
    working_directory: Location,
    umask: Permissions,
}

impl View {
    /// The first process's: the root, and a umask of 022.
    pub(crate) fn new() -> Self {
        let working_directory = mount::root().clone().topmost();
        Self { state: SpinLock::new(State { working_directory, umask: Permissions::from_mode(0o022) }) }
    }

    /// A view of its own that starts where this one is: fork(2).
    pub(crate) fn fork(&self) -> Self {
        let state = self.state.lock().clone();
        Self { state: SpinLock::new(state) }
    }

    /// Where relative paths begin.
    pub(crate) fn working_directory(&self) -> Location {
        self.state.lock().working_directory.clone()
    }

    /// Moves the working directory: chdir(2).
    ///
    /// # Errors
    /// `ENOTDIR`: not a directory. `EACCES`: it may not be searched.
    pub(crate) fn change_directory(&self, to: Location, credentials: Credentials) -> Result<(), Errno> {
        to.inode.directory()?;
        to.inode.check(credentials, Access::EXECUTE)?;
        let former = core::mem::replace(&mut self.state.lock().working_directory, to);
        // It may be the last that kept a removed directory: not under the lock.
        drop(former);
        Ok(())
    }

    /// The permissions that new files do not get.
    pub(crate) fn umask(&self) -> Permissions {
        self.state.lock().umask
    }

    /// Sets the umask and returns the former one.
    pub(crate) fn set_umask(&self, umask: Permissions) -> Permissions {
        let umask = umask & Permissions::from_mode(0o777);
        core::mem::replace(&mut self.state.lock().umask, umask)
    }

    /// How a path begins for this process.
    pub(crate) fn origin(&self, credentials: Credentials) -> Origin {
        let state = self.state.lock();
        Origin { start: state.working_directory.clone(), credentials, umask: state.umask }
    }
}
