//! prlimit64(2), getrlimit(2), setrlimit(2).

use core::sync::atomic::Ordering;

use model::abi::errno::Errno;
use model::fd;

use super::context::{Context, SysResult};
use crate::memory::user::UserPtr;

const FSIZE: u32 = 1;
const DATA: u32 = 2;
const STACK: u32 = 3;
const NPROC: u32 = 6;
const NOFILE: u32 = 7;
const AS: u32 = 9;
const RESOURCES: u32 = 16;

/// prlimit64(2) for the caller itself.
///
/// # Errors
/// `EINVAL`: no such resource, or soft above hard. `EPERM`: above the hard limit. `ESRCH`: another process.
pub(crate) fn prlimit(
    cx: &mut Context<'_>,
    pid: usize,
    resource: usize,
    new: usize,
    old: usize,
) -> SysResult {
    let resource = resource as u32;
    if resource >= RESOURCES {
        return Err(Errno::EINVAL);
    }
    if pid as u32 != 0 && pid as u32 != cx.process().pid() {
        return Err(Errno::ESRCH);
    }
    let wanted = if new == 0 { None } else { Some(UserPtr::<[u64; 2]>::new(cx.space(), new).read()?) };
    let before = get(cx, resource);
    if let Some([soft, hard]) = wanted {
        set(cx, resource, soft, hard, before[1])?;
    }
    if old != 0 {
        UserPtr::<[u64; 2]>::new(cx.space(), old).write(&before)?;
    }
    Ok(0)
}

fn get(cx: &Context<'_>, resource: u32) -> [u64; 2] {
    let limits = &cx.space().limits;
    let own = &cx.process().limits;
    match resource {
        DATA => [limits.data.load(Ordering::Relaxed), u64::MAX],
        STACK => [limits.stack.load(Ordering::Relaxed), u64::MAX],
        AS => [limits.address_space.load(Ordering::Relaxed), u64::MAX],
        FSIZE => [own.file_size.load(Ordering::Relaxed), u64::MAX],
        NPROC => [own.processes.load(Ordering::Relaxed), u64::MAX],
        NOFILE => [own.files.load(Ordering::Relaxed).into(), own.files_most.load(Ordering::Relaxed).into()],
        _ => [u64::MAX; 2],
    }
}

fn set(cx: &Context<'_>, resource: u32, soft: u64, hard: u64, most: u64) -> Result<(), Errno> {
    if soft > hard {
        return Err(Errno::EINVAL);
    }
    let limits = &cx.space().limits;
    let own = &cx.process().limits;
    match resource {
        DATA => limits.data.store(soft, Ordering::Relaxed),
        STACK => limits.stack.store(soft, Ordering::Relaxed),
        AS => limits.address_space.store(soft, Ordering::Relaxed),
        FSIZE => own.file_size.store(soft, Ordering::Relaxed),
        NPROC => own.processes.store(soft, Ordering::Relaxed),
        NOFILE => {
            let is_root = cx.process().credentials.lock().is_privileged();
            // `fs.nr_open` bounds root, too.
            if (hard > most && !is_root) || hard > u64::from(fd::MOST) {
                return Err(Errno::EPERM);
            }
            own.files.store(soft as u32, Ordering::Relaxed);
            own.files_most.store(hard as u32, Ordering::Relaxed);
        }
        _ => {}
    }
    Ok(())
}
