//! prctl(2), with the options that C libraries, shells and supervisors use.

use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::linux::capability::{Capability, CapabilitySet, CapabilitySets, SecureBits};

use super::context::{Caller, Context, SysResult};
use crate::machine::memory::user::{self, UserPtr, UserSlice};
use rules::abi::signal::Signal;

/// Bytes of a name including its zero byte (`TASK_COMM_LEN`).
const NAME: usize = 16;

/// prctl(2).
///
/// # Errors
/// `EINVAL`: unknown option or invalid argument. `EPERM`: as [`CapabilitySets`] says. `EFAULT`.
pub(crate) fn prctl(cx: &mut Context<'_>, option: usize, arguments: [usize; 4]) -> SysResult {
    const SET_PDEATHSIG: u32 = 1;
    const GET_PDEATHSIG: u32 = 2;
    const GET_DUMPABLE: u32 = 3;
    const SET_DUMPABLE: u32 = 4;
    const SET_NAME: u32 = 15;
    const GET_NAME: u32 = 16;
    const SET_TIMERSLACK: u32 = 29;
    const GET_TIMERSLACK: u32 = 30;
    const SET_CHILD_SUBREAPER: u32 = 36;
    const GET_CHILD_SUBREAPER: u32 = 37;
    const SET_NO_NEW_PRIVS: u32 = 38;
    const GET_NO_NEW_PRIVS: u32 = 39;
    let process = cx.process();
    let [argument, rest @ ..] = arguments;
    match option as u32 {
        SET_PDEATHSIG => {
            if argument != 0 {
                Signal::new(argument).ok_or(Errno::EINVAL)?;
            }
            process.parent_death_signal.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        GET_PDEATHSIG => {
            let number = process.parent_death_signal.load(Ordering::Relaxed);
            UserPtr::<u32>::new(cx.space(), argument).write(&number)?;
            Ok(0)
        }
        GET_DUMPABLE => Ok(process.is_dumpable.load(Ordering::Relaxed).into()),
        // There are no core dumps here, but it also decides who may look into the process.
        SET_DUMPABLE if argument <= 1 => {
            process.is_dumpable.store(argument == 1, Ordering::Relaxed);
            Ok(0)
        }
        SET_NAME => set_name(cx, argument),
        GET_NAME => {
            let mut bytes = [0u8; NAME];
            let name = cx.thread().name();
            bytes[..name.len()].copy_from_slice(&name);
            UserSlice::new(cx.space(), argument, NAME)?.write_bytes(&bytes)?;
            Ok(0)
        }
        // Timers have no slack.
        SET_TIMERSLACK => Ok(0),
        GET_TIMERSLACK => Ok(50_000),
        SET_CHILD_SUBREAPER => {
            process.is_subreaper.store(argument != 0, Ordering::Relaxed);
            Ok(0)
        }
        GET_CHILD_SUBREAPER => {
            let flag = process.is_subreaper.load(Ordering::Relaxed).into();
            UserPtr::<u32>::new(cx.space(), argument).write(&flag)?;
            Ok(0)
        }
        SET_NO_NEW_PRIVS if argument == 1 && rest == [0; 3] => {
            process.no_new_privileges.store(true, Ordering::Relaxed);
            Ok(0)
        }
        GET_NO_NEW_PRIVS if arguments == [0; 4] => {
            Ok(process.no_new_privileges.load(Ordering::Relaxed).into())
        }
        option => capabilities(&mut process.credentials.lock().capabilities, option, arguments),
    }
}

/// Performs the options about capabilities.
fn capabilities(sets: &mut CapabilitySets, option: u32, arguments: [usize; 4]) -> SysResult {
    const GET_KEEPCAPS: u32 = 7;
    const SET_KEEPCAPS: u32 = 8;
    const CAPBSET_READ: u32 = 23;
    const CAPBSET_DROP: u32 = 24;
    const GET_SECUREBITS: u32 = 27;
    const SET_SECUREBITS: u32 = 28;
    const CAP_AMBIENT: u32 = 47;
    let argument = arguments[0];
    match option {
        GET_KEEPCAPS => return Ok(sets.secure.contains(SecureBits::KEEP).into()),
        SET_KEEPCAPS => sets.set_keep(argument)?,
        CAPBSET_READ => return Ok(sets.bounding.has(Capability::new(argument)?).into()),
        CAPBSET_DROP => sets.drop_from_bounding(argument)?,
        GET_SECUREBITS => return Ok(sets.secure.bits() as usize),
        SET_SECUREBITS => sets.set_secure(argument)?,
        CAP_AMBIENT => return ambient(sets, arguments),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Performs `PR_CAP_AMBIENT`.
fn ambient(sets: &mut CapabilitySets, [what, capability, rest @ ..]: [usize; 4]) -> SysResult {
    const IS_SET: usize = 1;
    const RAISE: usize = 2;
    const LOWER: usize = 3;
    const CLEAR_ALL: usize = 4;
    if rest != [0; 2] || what == CLEAR_ALL && capability != 0 {
        return Err(Errno::EINVAL);
    }
    if what == CLEAR_ALL {
        sets.ambient = CapabilitySet::EMPTY;
        return Ok(0);
    }
    let capability = Capability::new(capability)?;
    match what {
        IS_SET => return Ok(sets.ambient.has(capability).into()),
        RAISE => sets.raise_ambient(capability)?,
        LOWER => sets.ambient = sets.ambient.without(capability.alone()),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn set_name(cx: &Context<'_>, at: usize) -> SysResult {
    let name = match user::read_string(cx.space(), at, NAME) {
        Err(Errno::ENAMETOOLONG) => {
            let mut name = [0u8; NAME - 1];
            UserSlice::new(cx.space(), at, name.len())?.read_bytes(&mut name)?;
            name.to_vec()
        }
        other => other?,
    };
    cx.thread().set_name(name);
    Ok(0)
}
