//! Scheduling policies, priorities and nice values, and who may change them.
//!
//! Not here: what they do (`rules::machine::scheduling`).
//! Missing: `SCHED_DEADLINE` and utilization clamps.
//! Source: sched(7), sched_setattr(2), setpriority(2), getrlimit(2) (`RLIMIT_NICE`, `RLIMIT_RTPRIO`); Linux 6.1
//! kernel/sched/core.c (`__sched_setscheduler`, `user_check_sched_setscheduler`, `sched_copy_attr`, `sched_fork`) and
//! kernel/sys.c (`setpriority`).

use crate::abi::errno::Errno;
use crate::machine::scheduling::{Class, Manner, NICE_MAX, NICE_MIN};

#[cfg(test)]
mod tests;

/// The flag of a policy that says that children do not inherit it.
pub const SCHED_RESET_ON_FORK: u32 = 0x4000_0000;

/// A scheduling policy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Policy {
    /// `SCHED_OTHER`.
    #[default]
    Other,
    /// `SCHED_FIFO`.
    Fifo,
    /// `SCHED_RR`.
    RoundRobin,
    /// `SCHED_BATCH`.
    Batch,
    /// `SCHED_IDLE`.
    Idle,
}

impl Policy {
    const DEADLINE: u32 = 6;

    /// Returns the policy with that number.
    ///
    /// # Errors
    /// `EINVAL`: there is none, or it is `SCHED_DEADLINE`.
    pub const fn from_number(number: u32) -> Result<Self, Errno> {
        Ok(match number {
            0 => Self::Other,
            1 => Self::Fifo,
            2 => Self::RoundRobin,
            3 => Self::Batch,
            5 => Self::Idle,
            _ => return Err(Errno::EINVAL),
        })
    }

    /// Returns the policy's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Other => 0,
            Self::Fifo => 1,
            Self::RoundRobin => 2,
            Self::Batch => 3,
            Self::Idle => 5,
        }
    }

    const fn is_real_time(self) -> bool {
        matches!(self, Self::Fifo | Self::RoundRobin)
    }
}

/// Returns the least and the greatest priority of the policy with that number.
///
/// # Errors
/// `EINVAL`: no such policy.
pub fn priorities(policy: u32) -> Result<(u32, u32), Errno> {
    if policy == Policy::DEADLINE {
        return Ok((0, 0));
    }
    Ok(if Policy::from_number(policy)?.is_real_time() { (1, 99) } else { (0, 0) })
}

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attributes {
    /// Its policy.
    pub policy: Policy,
    /// Its nice value, which counts under `SCHED_OTHER` and `SCHED_BATCH` and is kept under the others.
    pub nice: i8,
    /// Its priority: 1 to 99 under `SCHED_FIFO` and `SCHED_RR`, otherwise 0.
    pub priority: u8,
    /// Whether children start with the default policy.
    pub resets_on_fork: bool,
}

impl Attributes {
    /// Returns what a child gets.
    #[must_use]
    pub fn inherited(self) -> Self {
        match self {
            Self { resets_on_fork: false, .. } => self,
            Self { policy, .. } if policy.is_real_time() => Self::default(),
            Self { policy, nice, .. } => Self { policy, nice: nice.max(0), ..Self::default() },
        }
    }

    /// Returns how the thread competes for a CPU.
    #[must_use]
    pub fn class(self) -> Class {
        match self.policy {
            Policy::Other => Class::fair(self.nice, Manner::Eager),
            Policy::Batch => Class::fair(self.nice, Manner::Patient),
            Policy::Idle => Class::fair(self.nice, Manner::Idle),
            Policy::Fifo => Class::RealTime { priority: self.priority, takes_turns: false },
            Policy::RoundRobin => Class::RealTime { priority: self.priority, takes_turns: true },
        }
    }

    /// Returns the priority that `/proc/PID/stat` shows: 20 and the nice value, or -1 less the real-time priority.
    #[must_use]
    pub fn shown_priority(self) -> i32 {
        if self.policy.is_real_time() { -1 - i32::from(self.priority) } else { 20 + i32::from(self.nice) }
    }

    /// Packs the attributes into a word.
    #[must_use]
    pub const fn to_word(self) -> u32 {
        self.policy.number()
            | (self.nice.cast_unsigned() as u32) << 8
            | (self.priority as u32) << 16
            | (self.resets_on_fork as u32) << 24
    }

    /// Unpacks what [`Self::to_word`] has packed.
    #[must_use]
    pub fn from_word(word: u32) -> Self {
        let [policy, nice, priority, resets] = word.to_le_bytes();
        Self {
            policy: Policy::from_number(u32::from(policy)).unwrap_or_default(),
            nice: nice.cast_signed(),
            priority,
            resets_on_fork: resets != 0,
        }
    }
}

/// A request to change a thread's attributes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// The number of the new policy; `None` keeps policy and `resets_on_fork`.
    pub policy: Option<u32>,
    /// The new priority.
    pub priority: u32,
    /// The new nice value; `None` keeps it.
    pub nice: Option<i32>,
    /// Whether children start with the default policy.
    pub resets_on_fork: bool,
}

/// What decides whether the caller may make a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rights {
    /// Whether the thread belongs to the caller's user.
    pub is_own: bool,
    /// Whether the caller has `CAP_SYS_NICE`.
    pub is_privileged: bool,
    /// The thread's soft `RLIMIT_NICE`: the least nice value is 20 less this.
    pub nice_limit: u64,
    /// The thread's soft `RLIMIT_RTPRIO`.
    pub priority_limit: u64,
}

impl Rights {
    /// Returns whether the limit allows that nice value.
    fn allows_nice(&self, nice: i8) -> bool {
        u64::from((20 - i16::from(nice)).unsigned_abs()) <= self.nice_limit
    }
}

impl Change {
    /// Returns the attributes after the change: sched_setscheduler(2), sched_setparam(2), sched_setattr(2).
    ///
    /// # Errors
    /// `EINVAL`: no such policy, or a priority that it does not have. `EPERM`: the caller may not.
    pub fn apply(self, old: Attributes, rights: Rights) -> Result<Attributes, Errno> {
        let (policy, resets_on_fork) = match self.policy {
            Some(number) => (Policy::from_number(number)?, self.resets_on_fork),
            None => (old.policy, old.resets_on_fork),
        };
        if self.priority > 99 || policy.is_real_time() != (self.priority != 0) {
            return Err(Errno::EINVAL);
        }
        // The nice value of a real-time thread does not change.
        let nice = if policy.is_real_time() { old.nice } else { self.nice.map_or(old.nice, clamp_nice) };
        let new = Attributes { policy, nice, priority: self.priority as u8, resets_on_fork };
        if rights.is_privileged || may(old, new, rights) { Ok(new) } else { Err(Errno::EPERM) }
    }
}

/// Returns whether a caller without privilege may make the change.
fn may(old: Attributes, new: Attributes, rights: Rights) -> bool {
    let may_policy = if new.policy.is_real_time() {
        let may_enter = new.policy == old.policy || rights.priority_limit > 0;
        may_enter && (new.priority <= old.priority || u64::from(new.priority) <= rights.priority_limit)
    } else {
        new.nice >= old.nice || rights.allows_nice(new.nice)
    };
    let may_leave_idle =
        old.policy != Policy::Idle || new.policy == Policy::Idle || rights.allows_nice(old.nice);
    let may_inherit = !old.resets_on_fork || new.resets_on_fork;
    may_policy && may_leave_idle && rights.is_own && may_inherit
}

/// Returns the attributes with another nice value: setpriority(2).
///
/// # Errors
/// `EPERM`: a thread of another user. `EACCES`: a lower nice value than `RLIMIT_NICE` allows.
pub fn renice(old: Attributes, nice: i32, rights: Rights) -> Result<Attributes, Errno> {
    let nice = clamp_nice(nice);
    if !rights.is_own && !rights.is_privileged {
        return Err(Errno::EPERM);
    }
    if nice < old.nice && !rights.is_privileged && !rights.allows_nice(nice) {
        return Err(Errno::EACCES);
    }
    Ok(Attributes { nice, ..old })
}

/// Cuts a nice value to what exists.
fn clamp_nice(nice: i32) -> i8 {
    nice.clamp(NICE_MIN.into(), NICE_MAX.into()) as i8
}

/// The size of the first version of `struct sched_attr`, and of the known one.
pub const ATTR_SIZES: [usize; 2] = [48, 56];

const KEEP_POLICY: u64 = 0x8;
const KEEP_PARAMETERS: u64 = 0x10;
const RESET_ON_FORK: u64 = 0x1;
const KNOWN: u64 = 0x7f;
const CLAMPS: u64 = 0x60;

/// Returns the field at an offset.
fn field(bytes: &[u8; ATTR_SIZES[1]], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Checks what Linux checks of a `struct sched_attr` before it looks for the thread.
///
/// # Errors
/// `EINVAL`: no policy can have that number.
pub fn check_attr(bytes: &[u8; ATTR_SIZES[1]]) -> Result<(), Errno> {
    if field(bytes, 4).cast_signed() < 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Reads a `struct sched_attr` for a thread that has `old`; the caller has checked the size.
///
/// # Errors
/// `EINVAL`: unknown flags. `EOPNOTSUPP`: utilization clamps.
pub fn parse_attr(bytes: &[u8; ATTR_SIZES[1]], old: Attributes) -> Result<Change, Errno> {
    let word = |at: usize| field(bytes, at);
    let flags = u64::from(word(8)) | u64::from(word(12)) << 32;
    let policy = word(4);
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & CLAMPS != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let keeps = flags & KEEP_PARAMETERS != 0;
    let policy = match keeps {
        _ if flags & KEEP_POLICY != 0 => None,
        false => Some(policy),
        // Linux checks the policy, and then keeps the old one with its parameters (`__sched_setscheduler`).
        true if Policy::from_number(policy)?.is_real_time() == old.policy.is_real_time() => {
            Some(old.policy.number())
        }
        true => return Err(Errno::EINVAL),
    };
    Ok(Change {
        policy,
        priority: if keeps { old.priority.into() } else { word(20) },
        nice: (!keeps).then(|| word(16).cast_signed()),
        resets_on_fork: flags & RESET_ON_FORK != 0,
    })
}

/// Writes a `struct sched_attr` of `size` bytes, which is at most the known one.
#[must_use]
pub fn attr(attributes: Attributes, size: usize) -> [u8; ATTR_SIZES[1]] {
    let mut bytes = [0; ATTR_SIZES[1]];
    let nice = if attributes.policy.is_real_time() { 0 } else { i32::from(attributes.nice) };
    let fields = [
        size as u32,
        attributes.policy.number(),
        u32::from(attributes.resets_on_fork),
        0,
        nice.cast_unsigned(),
        u32::from(attributes.priority),
    ];
    for (place, field) in bytes.chunks_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    bytes
}
