//! Faults that the model check seeds on purpose, to prove that it would notice.
//!
//! Without the feature `loom` every question is answered `false` at compile time.

/// One way to get it wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Fault {
    /// None.
    Nothing,
    /// No frame is taken from a cache of another CPU.
    NoSteal,
    /// A drained cache stays open.
    StayOpen,
}

#[cfg(feature = "loom")]
static SEEDED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

/// Seeds `fault` for the rest of the process.
#[cfg(feature = "loom")]
pub fn seed(fault: Fault) {
    SEEDED.store(fault as u8, core::sync::atomic::Ordering::Relaxed);
}

/// Whether `fault` is seeded in this process.
#[cfg(feature = "loom")]
#[must_use]
pub fn is_seeded(fault: Fault) -> bool {
    SEEDED.load(core::sync::atomic::Ordering::Relaxed) == fault as u8
}

/// Never.
#[cfg(not(feature = "loom"))]
#[must_use]
#[inline(always)]
pub const fn is_seeded(_: Fault) -> bool {
    false
}
