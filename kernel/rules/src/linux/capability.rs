//! Capabilities: the sets of a process, and how it changes them.
//!
//! Owns: the five sets, and what capset(2) and prctl(2) make of them.   Not here: user and group IDs (`credentials`).
//! Invariant: what is effective is permitted; what is ambient is permitted and inheritable.
//! Missing: capabilities of files, which no file here has, and of user namespaces.
//! Why: decision 0082.
//! Source: capabilities(7); Linux 6.1 security/commoncap.c (`cap_capset`, `cap_task_prctl`).

use bitflags::bitflags;

use crate::abi::errno::Errno;

/// A right of root's, by its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capability(u8);

macro_rules! capabilities {
    ($($name:ident $number:literal;)*) => {
        #[allow(missing_docs, clippy::allow_attributes, reason = "the names are capabilities(7)'s")]
        impl Capability { $(pub const $name: Self = Self($number);)* }
    };
}

capabilities! {
    CHOWN 0; DAC_OVERRIDE 1; DAC_READ_SEARCH 2; FOWNER 3; FSETID 4; KILL 5; SETGID 6; SETUID 7; SETPCAP 8;
    NET_BIND_SERVICE 10; NET_ADMIN 12; IPC_LOCK 14; SYS_PTRACE 19; SYS_ADMIN 21; SYS_BOOT 22; SYS_NICE 23; SYS_RESOURCE 24;
    SYS_TTY_CONFIG 26; MKNOD 27; WAKE_ALARM 35;
}

impl Capability {
    /// `CAP_CHECKPOINT_RESTORE`.
    const LAST: u8 = 40;

    /// Returns the one with that number.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub fn new(number: usize) -> Result<Self, Errno> {
        u8::try_from(number).ok().filter(|number| *number <= Self::LAST).map(Self).ok_or(Errno::EINVAL)
    }

    /// Returns the set of nothing else.
    #[must_use]
    pub const fn alone(self) -> CapabilitySet {
        CapabilitySet(1 << self.0)
    }
}

/// Capabilities, as the ABI's word: bit `n` for number `n`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// All there are.
    pub const ALL: Self = Self((1 << (Capability::LAST + 1)) - 1);

    /// `CAP_FS_SET`: those of root's rights that are about files. Beside those named above, `CAP_LINUX_IMMUTABLE` and
    /// `CAP_MAC_OVERRIDE`.
    pub const OVER_FILES: Self = Self(0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32);

    /// From the ABI's word. What there is no capability for is left out.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Returns the ABI's word.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns whether `capability` is among them.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.alone().0 != 0
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not `other`'s.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether all of them are `other`'s.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.without(other).0 == 0
    }
}

bitflags! {
    /// `PR_SET_SECUREBITS`: which of root's privileges are no more. Each has a lock beside it.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct SecureBits: u32 {
        /// `SECBIT_NOROOT`: programs that root executes get no more than others.
        const NO_ROOT = 1;
        /// `SECBIT_NO_SETUID_FIXUP`: a change of user IDs leaves capabilities alone.
        const NO_SETUID_FIXUP = 1 << 2;
        /// `SECBIT_KEEP_CAPS`: who ceases to be root keeps what is permitted.
        const KEEP = 1 << 4;
        /// `SECBIT_NO_CAP_AMBIENT_RAISE`.
        const NO_AMBIENT_RAISE = 1 << 6;
        /// The locks.
        const LOCKS = 0b1010_1010;
    }
}

/// What a process has of capabilities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CapabilitySets {
    /// What is asked when something is done.
    pub effective: CapabilitySet,
    /// What can be made effective.
    pub permitted: CapabilitySet,
    /// What programs may keep that say so.
    pub inheritable: CapabilitySet,
    /// What no program that is executed can bring.
    pub bounding: CapabilitySet,
    /// What programs keep.
    pub ambient: CapabilitySet,
    /// What root means.
    pub secure: SecureBits,
}

impl CapabilitySets {
    /// Root's.
    pub const ROOT: Self = Self {
        effective: CapabilitySet::ALL,
        permitted: CapabilitySet::ALL,
        inheritable: CapabilitySet::EMPTY,
        bounding: CapabilitySet::ALL,
        ambient: CapabilitySet::EMPTY,
        secure: SecureBits::empty(),
    };

    /// An unprivileged user's.
    pub const NONE: Self =
        Self { effective: CapabilitySet::EMPTY, permitted: CapabilitySet::EMPTY, ..Self::ROOT };

    /// capset(2).
    ///
    /// # Errors
    /// `EPERM`: more permitted than before, more effective than permitted, or more inheritable than the bounding set or
    /// the caller's rights allow. Nothing changed.
    pub fn set(
        &mut self,
        effective: CapabilitySet,
        permitted: CapabilitySet,
        inheritable: CapabilitySet,
    ) -> Result<(), Errno> {
        let is_bound = !self.effective.has(Capability::SETPCAP);
        let allowed = inheritable.is_within(self.inheritable.union(self.bounding))
            && (!is_bound || inheritable.is_within(self.inheritable.union(self.permitted)))
            && permitted.is_within(self.permitted)
            && effective.is_within(permitted);
        if !allowed {
            return Err(Errno::EPERM);
        }
        let ambient = self.ambient.intersection(permitted).intersection(inheritable);
        *self = Self { effective, permitted, inheritable, ambient, ..*self };
        Ok(())
    }

    /// `PR_CAPBSET_DROP`.
    ///
    /// # Errors
    /// `EPERM`: without `CAP_SETPCAP`. `EINVAL`: there is no such capability.
    pub fn drop_from_bounding(&mut self, number: usize) -> Result<(), Errno> {
        if !self.effective.has(Capability::SETPCAP) {
            return Err(Errno::EPERM);
        }
        self.bounding = self.bounding.without(Capability::new(number)?.alone());
        Ok(())
    }

    /// `PR_CAP_AMBIENT_RAISE`.
    ///
    /// # Errors
    /// `EPERM`: it is not permitted or not inheritable, or the secure bits forbid it.
    pub fn raise_ambient(&mut self, capability: Capability) -> Result<(), Errno> {
        let may = self.permitted.intersection(self.inheritable).has(capability);
        if !may || self.secure.contains(SecureBits::NO_AMBIENT_RAISE) {
            return Err(Errno::EPERM);
        }
        self.ambient = self.ambient.union(capability.alone());
        Ok(())
    }

    /// `PR_SET_SECUREBITS`.
    ///
    /// # Errors
    /// `EPERM`: a locked bit would change or a lock open, a bit means nothing, or without `CAP_SETPCAP`.
    pub fn set_secure(&mut self, bits: usize) -> Result<(), Errno> {
        let wanted = u32::try_from(bits).ok().and_then(SecureBits::from_bits).ok_or(Errno::EPERM)?;
        let locked = (self.secure & SecureBits::LOCKS).bits() >> 1;
        let changes = (self.secure ^ wanted).bits();
        let opens = self.secure & SecureBits::LOCKS & !wanted;
        if locked & changes != 0 || !opens.is_empty() || !self.effective.has(Capability::SETPCAP) {
            return Err(Errno::EPERM);
        }
        self.secure = wanted;
        Ok(())
    }

    /// `PR_SET_KEEPCAPS`.
    ///
    /// # Errors
    /// `EINVAL`: neither 0 nor 1. `EPERM`: the bit is locked.
    pub fn set_keep(&mut self, flag: usize) -> Result<(), Errno> {
        if flag > 1 {
            return Err(Errno::EINVAL);
        }
        let lock = SecureBits::KEEP.bits() << 1;
        if self.secure.bits() & lock != 0 {
            return Err(Errno::EPERM);
        }
        self.secure.set(SecureBits::KEEP, flag == 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Capability, CapabilitySet, CapabilitySets, SecureBits};
    use crate::abi::errno::Errno;

    const KILL: CapabilitySet = Capability::KILL.alone();

    #[test]
    fn what_is_given_up_does_not_come_back() {
        let mut sets = CapabilitySets::ROOT;
        let fewer = CapabilitySet::ALL.without(KILL);
        assert_eq!(sets.set(fewer, fewer, CapabilitySet::EMPTY), Ok(()));
        assert_eq!(sets.set(CapabilitySet::ALL, fewer, CapabilitySet::EMPTY), Err(Errno::EPERM));
        assert_eq!(sets.set(fewer, CapabilitySet::ALL, CapabilitySet::EMPTY), Err(Errno::EPERM));
        assert_eq!(sets, CapabilitySets { effective: fewer, permitted: fewer, ..CapabilitySets::ROOT });
    }

    #[test]
    fn the_bounding_set_bounds_what_becomes_inheritable() {
        let mut sets = CapabilitySets::ROOT;
        assert_eq!(sets.drop_from_bounding(5), Ok(()));
        assert_eq!(sets.set(CapabilitySet::ALL, CapabilitySet::ALL, KILL), Err(Errno::EPERM));
        assert_eq!(sets.drop_from_bounding(41), Err(Errno::EINVAL));
        let mut nothing = CapabilitySets::NONE;
        assert_eq!(nothing.drop_from_bounding(41), Err(Errno::EPERM));
    }

    #[test]
    fn ambient_ones_go_with_what_they_rest_on() {
        let mut sets = CapabilitySets::ROOT;
        assert_eq!(sets.raise_ambient(Capability::KILL), Err(Errno::EPERM));
        assert_eq!(sets.set(CapabilitySet::ALL, CapabilitySet::ALL, KILL), Ok(()));
        assert_eq!(sets.raise_ambient(Capability::KILL), Ok(()));
        assert_eq!(sets.ambient, KILL);
        assert_eq!(sets.set(CapabilitySet::ALL, CapabilitySet::ALL, CapabilitySet::EMPTY), Ok(()));
        assert_eq!(sets.ambient, CapabilitySet::EMPTY);
    }

    #[test]
    fn locks_stay_shut() {
        let mut sets = CapabilitySets::ROOT;
        assert_eq!(sets.set_secure(0x100), Err(Errno::EPERM));
        assert_eq!(sets.set_keep(1), Ok(()));
        assert_eq!(sets.set_secure(0x30), Ok(()));
        assert_eq!(sets.set_secure(0x10), Err(Errno::EPERM));
        assert_eq!(sets.set_secure(0x20), Err(Errno::EPERM));
        assert_eq!(sets.set_keep(0), Err(Errno::EPERM));
        assert_eq!(sets.set_secure(0x31), Ok(()));
        assert_eq!(sets.secure, SecureBits::from_bits_truncate(0x31));
    }
}
