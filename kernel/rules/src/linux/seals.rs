//! The seals of a file of memfd_create(2).
//!
//! Owns: the seals, and how many mappings can be written.   Not here: the bytes.
//! Invariant: under `WRITE` there is no mapping that can be written.
//! Source: memfd_create(2), fcntl(2); Linux 6.1 mm/memfd.c (`memfd_add_seals`), mm/shmem.c.

use bitflags::bitflags;

use crate::abi::errno::Errno;

bitflags! {
    /// `F_SEAL_*`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Seals: u32 {
        /// No seal is added.
        const SEAL = 1;
        /// It gets no shorter.
        const SHRINK = 2;
        /// It gets no longer.
        const GROW = 4;
        /// No writes.
        const WRITE = 8;
        /// No writes, except through existing mappings.
        const FUTURE_WRITE = 16;
    }
}

/// Whether and how a file can be mapped for all to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sharing {
    /// As it was opened.
    Free,
    /// To read only, also later.
    ReadOnly,
}

/// The seals of a file.
#[derive(Debug)]
pub struct Sealing {
    seals: Seals,
    writable_mappings: u64,
}

impl Sealing {
    /// These from the start.
    #[must_use]
    pub const fn new(seals: Seals) -> Self {
        Self { seals, writable_mappings: 0 }
    }

    /// `F_GET_SEALS`.
    #[must_use]
    pub const fn seals(&self) -> Seals {
        self.seals
    }

    /// `F_ADD_SEALS`.
    ///
    /// # Errors
    /// None was added. `EPERM`: `SEAL` is set. `EBUSY`: `WRITE`, and there are mappings that can be written.
    pub fn add(&mut self, seals: Seals) -> Result<(), Errno> {
        if self.seals.contains(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        if seals.contains(Seals::WRITE) && self.writable_mappings > 0 {
            return Err(Errno::EBUSY);
        }
        self.seals |= seals;
        Ok(())
    }

    /// Returns whether bytes may be written up to `end`, which is now at `size`.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_write(&self, end: u64, size: u64) -> Result<(), Errno> {
        self.check_change()?;
        self.check_growth(end, size)
    }

    /// Returns whether bytes may change where the file is long already: a hole.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_change(&self) -> Result<(), Errno> {
        self.check_free_of(Seals::WRITE | Seals::FUTURE_WRITE)
    }

    /// Returns whether the file, which is now `size` long, may reach to `end`.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_growth(&self, end: u64, size: u64) -> Result<(), Errno> {
        if end > size { self.check_free_of(Seals::GROW) } else { Ok(()) }
    }

    /// Returns whether the length may become `after`.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn check_length(&self, after: u64, before: u64) -> Result<(), Errno> {
        if after < before { self.check_free_of(Seals::SHRINK) } else { self.check_growth(after, before) }
    }

    fn check_free_of(&self, seals: Seals) -> Result<(), Errno> {
        if self.seals.intersects(seals) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Maps it for all to see through a descriptor that can write; `writes` says whether the mapping can at once. One
    /// that is free counts until [`unmap`](Self::unmap).
    ///
    /// # Errors
    /// `EPERM`: it could be written.
    pub fn map(&mut self, writes: bool) -> Result<Sharing, Errno> {
        if self.check_change().is_ok() {
            self.writable_mappings += 1;
            return Ok(Sharing::Free);
        }
        if writes { Err(Errno::EPERM) } else { Ok(Sharing::ReadOnly) }
    }

    /// Ends what [`map`](Self::map) began.
    pub fn unmap(&mut self) {
        self.writable_mappings = self.writable_mappings.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Sealing, Seals, Sharing};
    use crate::abi::errno::Errno;

    #[test]
    fn seals_only_add_up_and_the_last_ends_it() {
        let mut sealing = Sealing::new(Seals::empty());
        assert_eq!(sealing.add(Seals::GROW), Ok(()));
        assert_eq!(sealing.add(Seals::SHRINK | Seals::SEAL), Ok(()));
        assert_eq!(sealing.add(Seals::WRITE), Err(Errno::EPERM));
        assert_eq!(sealing.seals(), Seals::GROW | Seals::SHRINK | Seals::SEAL);
    }

    #[test]
    fn lengths_are_kept_on_either_side() {
        let grows_not = Sealing::new(Seals::GROW);
        assert_eq!(grows_not.check_length(10, 9), Err(Errno::EPERM));
        assert_eq!(grows_not.check_length(9, 10), Ok(()));
        assert_eq!(grows_not.check_write(10, 10), Ok(()));
        assert_eq!(grows_not.check_write(11, 10), Err(Errno::EPERM));
        let shrinks_not = Sealing::new(Seals::SHRINK);
        assert_eq!(shrinks_not.check_length(9, 10), Err(Errno::EPERM));
        assert_eq!(shrinks_not.check_length(10, 10), Ok(()));
    }

    #[test]
    fn mappings_that_write_and_the_seal_exclude_each_other() {
        let mut sealing = Sealing::new(Seals::empty());
        assert_eq!(sealing.map(true), Ok(Sharing::Free));
        assert_eq!(sealing.add(Seals::WRITE), Err(Errno::EBUSY));
        sealing.unmap();
        assert_eq!(sealing.add(Seals::WRITE), Ok(()));
        assert_eq!(sealing.map(true), Err(Errno::EPERM));
        assert_eq!(sealing.map(false), Ok(Sharing::ReadOnly));
        assert_eq!(sealing.check_change(), Err(Errno::EPERM));
    }

    #[test]
    fn those_that_are_there_may_go_on_writing() {
        let mut sealing = Sealing::new(Seals::empty());
        assert_eq!(sealing.map(true), Ok(Sharing::Free));
        assert_eq!(sealing.add(Seals::FUTURE_WRITE), Ok(()));
        assert_eq!(sealing.map(true), Err(Errno::EPERM));
        assert_eq!(sealing.map(false), Ok(Sharing::ReadOnly));
        assert_eq!(sealing.check_write(1, 9), Err(Errno::EPERM));
    }
}
