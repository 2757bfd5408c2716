//! Guards the frame allocator with reserves: what a program can make is granted before it is allocated.
//!
//! OSTD panics when it finds no frame for a page table or for the kernel heap. So memory that a program can request
//! without bound (its pages, page-cache pages, pipe pages, kernel stacks, lists, names) is granted only while more than
//! a reserve is free; allocations that cannot fail use the reserve. A [`Grant`] holds its bytes until it is dropped, so
//! that no other CPU can be granted the same ones.
//!
//! Programs without `CAP_SYS_ADMIN` stop at a second reserve, so that an administrator's shell can still start a
//! process when they have taken everything else.
//!
//! A system call that makes something begins only while [`CALL`] bytes can be had ([`admit`]): that much it may take
//! in small pieces which cannot fail. What it takes beyond that, it asks for ([`grant`], `rules::machine::fallible`).
//!
//! Owns: the reserves, what is granted and not yet allocated, the injection of failures.
//! Why: decision 0114.
//! Source: Linux 6.1 mm/util.c (`__vm_enough_memory`, `admin_reserve_kbytes`).

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ostd::mm::{FrameAllocOptions, UFrame};
use rules::abi::errno::Errno;
pub(crate) use rules::machine::fallible::Grant;
use rules::machine::fallible::{self, Budget};
use rules::machine::injection::Injection;
use spin::Once;

use super::layout::PAGE_SIZE;

/// The kernel's reserve is this fraction of the memory that was free at boot…
const RESERVE_SHARE: usize = 64;
/// …and at least this many bytes.
const RESERVE_MINIMUM: usize = 4 << 20;
/// The administrator's reserve is this fraction of the memory that was free at boot…
const ADMINISTRATOR_SHARE: usize = 32;
/// …and at most this many bytes.
const ADMINISTRATOR_MOST: usize = 8 << 20;

/// What a system call may allocate without asking, in bytes.
pub(crate) const CALL: usize = 64 << 10;

/// The memory that was free at the first call, in bytes.
static INITIAL: Once<usize> = Once::new();
/// Bytes that are granted and perhaps not yet allocated.
static GRANTED: AtomicUsize = AtomicUsize::new(0);
/// With fewer free bytes than this, [`is_scarce`] says so. Zero before [`start`].
static SCARCE: AtomicUsize = AtomicUsize::new(0);
/// Which grants to programs fail on purpose.
static INJECTION: Once<Injection> = Once::new();
/// The grants that the injection has counted.
static COUNTED: AtomicU64 = AtomicU64::new(0);

ostd::cpu_local_cell! {
    /// Whether the thread that this CPU runs, or ran last, may use the administrator's reserve.
    static IS_ADMINISTRATOR: bool = true;
}

/// Starts to grant memory, and to refuse on purpose what `injection` says.
pub(crate) fn start(injection: Option<Injection>) {
    let initial = initial();
    SCARCE.store(reserve(initial) + administrators(initial) + CALL, Ordering::Relaxed);
    if let Some(injection) = injection {
        INJECTION.call_once(|| injection);
    }
    fallible::install(Budget { take, give });
}

/// Returns the most bytes that programs can have: what was free at boot, less the reserve.
#[must_use]
pub(crate) fn total() -> usize {
    let initial = initial();
    initial - reserve(initial).min(initial)
}

/// Returns the bytes that the current program can still have.
#[must_use]
pub(crate) fn available() -> usize {
    frames::free_bytes().saturating_sub(floor() + GRANTED.load(Ordering::Relaxed))
}

/// Says for which kind of program this CPU grants memory from now on.
#[inline]
pub(super) fn set_administrator(is_administrator: bool) {
    IS_ADMINISTRATOR.store(is_administrator);
}

/// Returns whether so little is free that [`admit`] may refuse.
#[inline]
#[must_use]
pub(crate) fn is_scarce() -> bool {
    // Frames in the caches of CPUs are not counted: it is sooner said than true.
    frames::pooled_bytes() < SCARCE.load(Ordering::Relaxed)
}

/// Checks that a system call may begin that makes something.
///
/// # Errors
/// `ENOMEM`: what it may allocate without asking would come from the reserve.
pub(crate) fn admit() -> Result<(), Errno> {
    if CALL <= available() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Holds `bytes` for the caller, who allocates them before the grant is dropped.
///
/// # Errors
/// `ENOMEM`: they would come from the reserve, or the command line says so.
#[inline]
pub(crate) fn grant(bytes: usize) -> Result<Grant, Errno> {
    Grant::new(bytes)
}

/// Allocates a page of zeroes for a program's memory.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn zeroed_page() -> Result<UFrame, Errno> {
    page(FrameAllocOptions::new().zeroed(true))
}

/// Allocates a page without clearing it, for a caller that overwrites all of it before it can be read.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn uncleared_page() -> Result<UFrame, Errno> {
    page(FrameAllocOptions::new().zeroed(false))
}

fn page(options: &FrameAllocOptions) -> Result<UFrame, Errno> {
    let _held = hold(PAGE_SIZE)?;
    options.alloc_frame().map(UFrame::from).map_err(|_| Errno::ENOMEM)
}

/// Bytes that are held for a page fault. No failure is injected there: it would kill the process instead of returning
/// an error to it.
#[must_use = "the bytes are given back when it is dropped"]
pub(super) struct Held(usize);

/// Holds `bytes` for a page fault.
///
/// # Errors
/// `ENOMEM`: they would come from the reserve.
pub(super) fn hold(bytes: usize) -> Result<Held, Errno> {
    if is_available(bytes) { Ok(Held(bytes)) } else { Err(Errno::ENOMEM) }
}

impl Drop for Held {
    fn drop(&mut self) {
        give(self.0);
    }
}

/// What [`Grant`] asks.
fn take(bytes: usize) -> bool {
    !is_injected() && is_available(bytes)
}

/// What [`Grant`] gives back.
fn give(bytes: usize) {
    GRANTED.fetch_sub(bytes, Ordering::Relaxed);
}

/// Holds bytes if they are available. Of two CPUs that ask for the last ones, both may be refused, but never both
/// granted: each adds its bytes before it looks.
fn is_available(bytes: usize) -> bool {
    let free = frames::free_bytes();
    let Some(spare) = free.checked_sub(floor()).filter(|spare| bytes <= *spare) else { return false };
    let granted = GRANTED.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if granted > spare {
        give(bytes);
    }
    granted <= spare
}

/// Returns whether the grant that is asked for now fails on purpose. Administrators are spared, the kernel's start too.
fn is_injected() -> bool {
    let Some(injection) = INJECTION.get() else { return false };
    !IS_ADMINISTRATOR.load() && injection.fails(COUNTED.fetch_add(1, Ordering::Relaxed) + 1)
}

fn initial() -> usize {
    *INITIAL.call_once(frames::free_bytes)
}

/// Returns how many bytes the current program must leave free.
fn floor() -> usize {
    let initial = initial();
    reserve(initial) + if IS_ADMINISTRATOR.load() { 0 } else { administrators(initial) }
}

fn reserve(initial: usize) -> usize {
    (initial / RESERVE_SHARE).max(RESERVE_MINIMUM)
}

fn administrators(initial: usize) -> usize {
    (initial / ADMINISTRATOR_SHARE).min(ADMINISTRATOR_MOST)
}
