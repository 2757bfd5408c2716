//! Files in `/proc/PID` that look at who opens them, or that can be written.
//!
//! Source: proc(5); Linux 6.1 fs/proc/task_mmu.c (`proc_maps_open`), fs/proc/base.c (`oom_score_adj_write`,
//! `__set_oom_adj`).

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::linux::oom::Scale;

use super::maps;
use super::subject::{Subject, TextOf};
use crate::linux::fs::tmpfs::dynamic::{self, Control, GeneratedText};
use crate::linux::task::access;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::thread;

/// A text that everybody may read and nobody can write: `EINVAL`, where files of the whole machine have `EIO`.
pub(super) struct Text(pub(super) Subject, pub(super) TextOf);

impl Control for Text {
    fn open(&self) -> Result<GeneratedText, Errno> {
        let Self(subject, text) = *self;
        Ok(Box::new(move || text(subject)))
    }
}

/// `maps`. The open file stays with the memory that the process had then, and is empty when that is gone.
pub(super) struct Maps(pub(super) Subject);

impl Control for Maps {
    fn open(&self) -> Result<GeneratedText, Errno> {
        let process = self.0.process()?;
        if process.has_ended() {
            return Ok(Box::new(|| Ok(dynamic::Text::default())));
        }
        access::check(&process)?;
        let space = Arc::downgrade(&process.space());
        Ok(Box::new(move || {
            space.upgrade().map_or_else(|| Ok(dynamic::Text::default()), |space| maps::maps(&space))
        }))
    }
}

/// `oom_score_adj`, and `oom_adj` with its own scale.
pub(super) struct OomAdjustment(pub(super) Subject, pub(super) Scale);

impl Control for OomAdjustment {
    fn open(&self) -> Result<GeneratedText, Errno> {
        let Self(subject, scale) = *self;
        Ok(Box::new(move || {
            let value = subject.process()?.oom.value.load(Ordering::Relaxed);
            dynamic::text(format!("{}\n", scale.shown(value)))
        }))
    }

    fn write(&self, text: &[u8]) -> Option<Result<usize, Errno>> {
        /// `PROC_NUMBUF` without its zero byte.
        const MOST: usize = 12;
        let text = &text[..text.len().min(MOST)];
        Some(self.1.parse(text).and_then(|value| set(&self.0.process()?, self.1, value)).map(|()| text.len()))
    }
}

/// # Errors
/// `EACCES`: lowering it needs `CAP_SYS_RESOURCE`.
fn set(process: &Arc<Process>, scale: Scale, value: i16) -> Result<(), Errno> {
    let is_privileged = thread::current()
        .is_none_or(|thread| thread.process().credentials.lock().can(Capability::SYS_RESOURCE));
    let (now, least) = (process.oom.value.load(Ordering::Relaxed), process.oom.least.load(Ordering::Relaxed));
    if !is_privileged && !scale.may_set(value, now, least) {
        return Err(Errno::EACCES);
    }
    let space = process.space();
    let mut next = 0;
    // Who runs in the same memory would keep it, so all of them get the value.
    while let Some(other) = process_table::first_from(next) {
        next = other.pid() + 1;
        let is_same = Arc::ptr_eq(&other, process);
        let shares = !other.is_init() && !other.has_ended() && Arc::ptr_eq(&other.space(), &space);
        if is_same || shares && !other.borrows_space() {
            other.oom.value.store(value, Ordering::Relaxed);
            if scale == Scale::Thousandths && is_privileged {
                other.oom.least.store(value, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}
