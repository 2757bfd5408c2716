//! uname(2), sethostname(2), setdomainname(2), sysinfo(2), arch_prctl(2), reboot(2).

use ostd::power::{self, ExitCode};
use rules::abi::errno::Errno;
use rules::linux::abi::utsname;
use rules::linux::capability::Capability;

use super::context::{Caller, Context, SysResult};
use crate::linux::serial;
use crate::linux::task::uname::{self, MachineName};
use crate::linux::task::{process_table, registers};
use crate::machine::clock;
use crate::machine::console;
use crate::machine::memory::budget;
use crate::machine::memory::layout::TASK_SIZE;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// uname(2).
pub(crate) fn uname(cx: &mut Context<'_>, at: usize) -> SysResult {
    const FIELD: usize = 65;
    let (host, domain) = (uname::HOST.get(), uname::DOMAIN.get());
    let [system, release, version, machine] =
        [utsname::SYSTEM, utsname::RELEASE, utsname::VERSION, utsname::MACHINE].map(str::as_bytes);
    let fields = [system, &host, release, version, machine, &domain];
    let mut bytes = [0u8; FIELD * 6];
    for (chunk, field) in bytes.chunks_exact_mut(FIELD).zip(fields) {
        chunk[..field.len()].copy_from_slice(field);
    }
    UserSlice::new(cx.space(), at, bytes.len())?.write_bytes(&bytes)?;
    Ok(0)
}

/// sethostname(2), setdomainname(2): sets `name` to the `len` bytes at `at`.
///
/// # Errors
/// The name stays. `EPERM`: without `CAP_SYS_ADMIN`. `EINVAL`: a length that is negative or too large. `EFAULT`.
pub(crate) fn set_name(cx: &mut Context<'_>, name: &MachineName, at: usize, len: i32) -> SysResult {
    if !cx.credentials().can(Capability::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(len).ok().filter(|len| *len <= uname::MOST).ok_or(Errno::EINVAL)?;
    let mut bytes = [0; uname::MOST];
    UserSlice::new(cx.space(), at, len)?.read_bytes(&mut bytes[..len])?;
    name.set(&bytes[..len]);
    Ok(0)
}

/// sysinfo(2).
pub(crate) fn sysinfo(cx: &mut Context<'_>, at: usize) -> SysResult {
    let mut words = [0u64; 14];
    words[0] = clock::now().as_secs();
    words[4] = budget::total() as u64;
    words[5] = budget::available() as u64;
    words[10] = process_table::count() as u64;
    words[13] = 1;
    UserPtr::<[u64; 14]>::new(cx.space(), at).write(&words)?;
    Ok(0)
}

/// arch_prctl(2).
///
/// # Errors
/// `EPERM`: not a user address. `EINVAL`: unknown code. `EFAULT`.
pub(crate) fn arch_prctl(cx: &mut Context<'_>, code: usize, addr: usize) -> SysResult {
    const SET_GS: usize = 0x1001;
    const SET_FS: usize = 0x1002;
    const GET_FS: usize = 0x1003;
    const GET_GS: usize = 0x1004;
    let mut registers = registers::save();
    match code {
        SET_FS | SET_GS if addr >= TASK_SIZE => return Err(Errno::EPERM),
        SET_FS => registers.fs_base = addr,
        SET_GS => registers.gs_base = addr,
        GET_FS => UserPtr::<u64>::new(cx.space(), addr).write(&(registers.fs_base as u64))?,
        GET_GS => UserPtr::<u64>::new(cx.space(), addr).write(&(registers.gs_base as u64))?,
        _ => return Err(Errno::EINVAL),
    }
    registers::load(registers);
    Ok(0)
}

/// reboot(2): power-off and halt end the machine. So does restart, because the machine would only start the same
/// again.
///
/// # Errors
/// `EPERM`: not a privileged caller. `EINVAL`: wrong magic numbers or command.
pub(crate) fn reboot(cx: &mut Context<'_>, magic: usize, magic2: usize, command: usize) -> SysResult {
    const MAGIC: u32 = 0xfee1_dead;
    const MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
    const POWER_OFF: u32 = 0x4321_fedc;
    const HALT: u32 = 0xcdef_0123;
    const RESTART: u32 = 0x0123_4567;
    const CAD: [u32; 2] = [0, 0x89ab_cdef];
    if !cx.credentials().can(Capability::SYS_BOOT) {
        return Err(Errno::EPERM);
    }
    if magic as u32 != MAGIC || !MAGIC2.contains(&(magic2 as u32)) {
        return Err(Errno::EINVAL);
    }
    match command as u32 {
        POWER_OFF | HALT | RESTART => {
            serial::drain();
            console::flush();
            power::poweroff(ExitCode::Success)
        }
        command if CAD.contains(&command) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
