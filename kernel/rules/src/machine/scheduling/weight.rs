//! The weight of a nice value: the share of a CPU that a task gets, relative to others.
//!
//! Source: nice(2), sched(7); the weights are those of Linux 6.1 kernel/sched/core.c (`sched_prio_to_weight`): a step
//! of one changes a share by about a tenth, which is a factor of 1.25 between weights.

/// The least and the greatest nice value.
pub const NICE_MIN: i8 = -20;
/// See [`NICE_MIN`].
pub const NICE_MAX: i8 = 19;

/// The weight at which virtual time passes as real time does.
pub(super) const UNIT: u64 = 1024;

/// The weight of `SCHED_IDLE`.
pub const IDLE_WEIGHT: u32 = 3;

const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
];

/// Returns the weight of a nice value, which is cut to what exists.
#[must_use]
pub fn weight(nice: i8) -> u32 {
    let index = nice.clamp(NICE_MIN, NICE_MAX) - NICE_MIN;
    WEIGHTS[usize::from(index.unsigned_abs())]
}

/// How fast virtual time passes for a weight: units of 2^-32 for each nanosecond.
pub(super) fn pace(weight: u32) -> u64 {
    (UNIT << 32) / u64::from(weight.max(1))
}

/// Returns the virtual time of `nanos` at a pace.
pub(super) fn scaled(nanos: u64, pace: u64) -> u64 {
    // Fits: a task is charged at each tick, and the slowest pace is 342 times the unit's.
    ((u128::from(nanos) * u128::from(pace)) >> 32) as u64
}
