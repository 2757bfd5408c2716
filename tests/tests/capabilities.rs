//! capabilities(7): root drops capabilities, calls that need them fail, and execve(2) and setuid(2) change them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use libc::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_KEEPCAPS, PR_GET_NO_NEW_PRIVS,
    PR_GET_SECUREBITS, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS,
};
use pollux_tests::capability::{Sets, get, set};
use pollux_tests::sys::Result;
use pollux_tests::witness::{self, Constructor, QUESTION};
use pollux_tests::{Errno, child, fd, limit, signal, sys};

/// This program answers questions when it is executed with one.
#[used]
#[unsafe(link_section = ".init_array")]
static ANSWER: Constructor = witness::answer;

const CHOWN: u32 = 0;
const DAC_OVERRIDE: u32 = 1;
const DAC_READ_SEARCH: u32 = 2;
const KILL: u32 = 5;
const SETGID: u32 = 6;
const SETPCAP: u32 = 8;
const NET_BIND_SERVICE: u32 = 10;
const LAST: u32 = 40;
const ALL: u64 = (1 << (LAST + 1)) - 1;

/// Returns all capabilities except these.
fn without(capabilities: &[u32]) -> u64 {
    capabilities.iter().fold(ALL, |set, capability| set & !(1 << capability))
}

fn prctl(option: i32, arguments: [usize; 4]) -> Result<usize> {
    let [second, third, fourth, fifth] = arguments;
    // SAFETY: the options used here take numbers.
    unsafe { sys::call(libc::SYS_prctl, [option as usize, second, third, fourth, fifth]) }
}

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here read memory at most.
    unsafe { sys::call(number, arguments) }
}

fn setuid(user: usize) -> Result<usize> {
    call(libc::SYS_setuid, [user])
}

#[test]
fn what_is_given_up_does_not_come_back() {
    child::run(|| {
        assert_eq!(get(), [ALL, ALL, 0]);
        let fewer = without(&[KILL, LAST]);
        assert_eq!(set([fewer, fewer, 0]), Ok(0));
        assert_eq!(get(), [fewer, fewer, 0]);
        assert_eq!(set([ALL, ALL, 0]), Err(Errno::EPERM));
        assert_eq!(set([ALL, fewer, 0]), Err(Errno::EPERM));
        assert_eq!(set([0, fewer, 0]), Ok(0));
        assert_eq!(set([fewer, fewer, 0]), Ok(0));
        assert_eq!(set([0, 0, 0]), Ok(0));
        assert_eq!(set([1, 1, 0]), Err(Errno::EPERM));
        assert_eq!(get(), [0; 3]);
    });
}

#[test]
fn what_there_is_no_capability_for_is_left_out() {
    child::run(|| {
        assert_eq!(set([u64::MAX, u64::MAX, u64::MAX]), Ok(0));
        assert_eq!(get(), [ALL; 3]);
    });
}

#[test]
fn inheritable_ones_need_to_be_permitted_or_a_right() {
    child::run(|| {
        let fewer = without(&[KILL]);
        assert_eq!(set([fewer, fewer, 1 << KILL]), Ok(0));
        assert_eq!(get(), [fewer, fewer, 1 << KILL]);
    });
    child::run(|| {
        let fewer = without(&[KILL, SETPCAP]);
        assert_eq!(set([fewer, fewer, 0]), Ok(0));
        assert_eq!(set([fewer, fewer, 1 << KILL]), Err(Errno::EPERM));
        assert_eq!(set([fewer, fewer, 1]), Ok(0));
    });
    child::run(|| {
        assert_eq!(prctl(PR_CAPBSET_DROP, [KILL as usize, 0, 0, 0]), Ok(0));
        assert_eq!(set([ALL, ALL, 1 << KILL]), Err(Errno::EPERM));
        assert_eq!(get(), [ALL, ALL, 0]);
    });
}

#[test]
fn without_effective_ones_root_is_like_others() {
    let path = c"/tmp/capabilities";
    fs::write("/tmp/capabilities", "x").unwrap();
    fs::set_permissions("/tmp/capabilities", fs::Permissions::from_mode(0o600)).unwrap();
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::chown(path.as_ptr(), 7, 7) }, 0);
    let other = child::spawn(|| {
        setuid(7).unwrap();
        loop {
            std::thread::park();
        }
    });
    let address = path.as_ptr().addr();
    let open = || fd::open("/tmp/capabilities", libc::O_RDWR, 0).map(drop);
    let attempts = || {
        let socket = call(libc::SYS_socket, [2, 2, 0]).unwrap();
        let mut port_80 = [0_u8; 16];
        port_80[0] = 2;
        port_80[3] = 80;
        [
            open(),
            call(libc::SYS_chmod, [address, 0o600]).map(drop),
            call(libc::SYS_chown, [address, 7, 7]).map(drop),
            signal::send(other.pid(), 0),
            call(libc::SYS_mknod, [c"/tmp/capable".as_ptr().addr(), 0o020_600, 0x103]).map(drop),
            call(libc::SYS_unlink, [c"/tmp/capable".as_ptr().addr()]).map(drop),
            call(libc::SYS_bind, [socket, port_80.as_ptr().addr(), 16]).map(drop),
            limit::set(libc::RLIMIT_NICE, 3, 4),
            call(libc::SYS_setgid, [9]).map(drop),
            setuid(9).map(drop),
        ]
    };
    child::run(|| assert_eq!(attempts(), [Ok(()); 10]));
    child::run(|| {
        limit::lower(libc::RLIMIT_NICE, 2);
        set([0, ALL, 0]).unwrap();
        let (access, permission) = (Err(Errno::EACCES), Err(Errno::EPERM));
        let missing = Err(Errno::ENOENT);
        let expected = [
            access, permission, permission, permission, permission, missing, access, permission,
            permission, permission,
        ];
        assert_eq!(attempts(), expected);
        set([ALL, ALL, 0]).unwrap();
        assert_eq!(attempts(), [Ok(()); 10]);
    });
}

#[test]
fn each_capability_is_about_its_own() {
    let name = "/tmp/capabilities-own";
    fs::write(name, "x").unwrap();
    fs::set_permissions(name, fs::Permissions::from_mode(0o600)).unwrap();
    let path = c"/tmp/capabilities-own".as_ptr().addr();
    call(libc::SYS_chown, [path, 7, 7]).unwrap();
    let open = |flags| fd::open(name, flags, 0).map(drop);
    let bind = || {
        let socket = call(libc::SYS_socket, [2, 2, 0]).unwrap();
        let mut port_81 = [0_u8; 16];
        port_81[0] = 2;
        port_81[3] = 81;
        call(libc::SYS_bind, [socket, port_81.as_ptr().addr(), 16]).map(drop)
    };
    let only = |capability: u32| set([1 << capability, ALL, 0]).unwrap();
    child::run(|| {
        only(DAC_READ_SEARCH);
        assert_eq!(open(libc::O_RDONLY), Ok(()));
        assert_eq!(open(libc::O_WRONLY), Err(Errno::EACCES));
        only(DAC_OVERRIDE);
        assert_eq!(open(libc::O_RDWR), Ok(()));
        assert_eq!(call(libc::SYS_chown, [path, 8, 8]), Err(Errno::EPERM));
        only(CHOWN);
        assert_eq!(call(libc::SYS_chown, [path, 8, 8]), Ok(0));
        assert_eq!(bind(), Err(Errno::EACCES));
        only(NET_BIND_SERVICE);
        assert_eq!(bind(), Ok(()));
        only(SETGID);
        assert_eq!(setuid(7), Err(Errno::EPERM));
        assert_eq!(call(libc::SYS_setgid, [7]), Ok(0));
    });
}

#[test]
fn the_bounding_set_only_shrinks() {
    child::run(|| {
        for capability in 0..=LAST as usize {
            assert_eq!(prctl(PR_CAPBSET_READ, [capability, 0, 0, 0]), Ok(1));
        }
        assert_eq!(prctl(PR_CAPBSET_READ, [LAST as usize + 1, 0, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(prctl(PR_CAPBSET_DROP, [LAST as usize + 1, 0, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(prctl(PR_CAPBSET_DROP, [KILL as usize, 0, 0, 0]), Ok(0));
        assert_eq!(prctl(PR_CAPBSET_READ, [KILL as usize, 0, 0, 0]), Ok(0));
        assert_eq!(get(), [ALL, ALL, 0]);
        let fewer = without(&[SETPCAP]);
        set([fewer, ALL, 0]).unwrap();
        assert_eq!(prctl(PR_CAPBSET_DROP, [1, 0, 0, 0]), Err(Errno::EPERM));
        assert_eq!(prctl(PR_CAPBSET_DROP, [100, 0, 0, 0]), Err(Errno::EPERM));
        child::run(|| assert_eq!(prctl(PR_CAPBSET_READ, [KILL as usize, 0, 0, 0]), Ok(0)));
    });
}

/// Returns the sets of this program after the caller executes it.
fn after_exec() -> Sets {
    let program = std::env::args().next().unwrap();
    let output = Command::new(program).env(QUESTION, "capabilities").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut sets = text.split('|').map(|set| set.parse().unwrap());
    [(); 3].map(|()| sets.next().unwrap())
}

#[test]
fn a_program_that_root_executes_has_all_that_the_bounding_set_allows() {
    child::run(|| {
        assert_eq!(after_exec(), [ALL, ALL, 0]);
        set([0, 0, 0]).unwrap();
        assert_eq!(after_exec(), [ALL, ALL, 0]);
    });
    child::run(|| {
        prctl(PR_CAPBSET_DROP, [KILL as usize, 0, 0, 0]).unwrap();
        let fewer = without(&[KILL]);
        assert_eq!(after_exec(), [fewer, fewer, 0]);
    });
    child::run(|| {
        set([ALL, ALL, 1 << KILL]).unwrap();
        prctl(PR_CAPBSET_DROP, [KILL as usize, 0, 0, 0]).unwrap();
        assert_eq!(after_exec(), [ALL, ALL, 1 << KILL]);
    });
}

#[test]
fn a_program_gains_none_after_no_new_privileges() {
    child::run(|| {
        set([0, 1 << KILL, 0]).unwrap();
        assert_eq!(prctl(PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]), Ok(0));
        assert_eq!(after_exec(), [1 << KILL, 1 << KILL, 0]);
    });
}

#[test]
fn no_new_privileges_wants_its_other_arguments_to_be_nothing() {
    child::run(|| {
        for arguments in [[0, 0, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]] {
            assert_eq!(prctl(PR_SET_NO_NEW_PRIVS, arguments), Err(Errno::EINVAL));
        }
        for arguments in [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] {
            assert_eq!(prctl(PR_GET_NO_NEW_PRIVS, arguments), Err(Errno::EINVAL));
        }
        assert_eq!(prctl(PR_GET_NO_NEW_PRIVS, [0; 4]), Ok(0));
    });
}

#[test]
fn a_program_that_others_execute_has_the_ambient_ones() {
    child::run(|| {
        assert_eq!(after_exec(), [ALL, ALL, 0]);
        set([ALL, ALL, 1 << KILL | 1 << SETPCAP]).unwrap();
        prctl(PR_SET_SECUREBITS, [0x10, 0, 0, 0]).unwrap();
        prctl(PR_CAP_AMBIENT, [PR_CAP_AMBIENT_RAISE as usize, KILL as usize, 0, 0]).unwrap();
        setuid(9).unwrap();
        let both = 1 << KILL | 1 << SETPCAP;
        assert_eq!(get(), [0, ALL, both]);
        let is_set = [PR_CAP_AMBIENT_IS_SET as usize, KILL as usize, 0, 0];
        assert_eq!(prctl(PR_CAP_AMBIENT, is_set), Ok(0), "setuid(2) clears them");
        set([both, ALL, both]).unwrap();
        prctl(PR_CAP_AMBIENT, [PR_CAP_AMBIENT_RAISE as usize, KILL as usize, 0, 0]).unwrap();
        assert_eq!(after_exec(), [1 << KILL, 1 << KILL, both]);
    });
    child::run(|| {
        setuid(9).unwrap();
        assert_eq!(after_exec(), [0; 3]);
    });
}

#[test]
fn ambient_ones_are_permitted_and_inheritable() {
    let ambient = |what: i32, capability: u32| {
        prctl(PR_CAP_AMBIENT, [what as usize, capability as usize, 0, 0])
    };
    child::run(|| {
        assert_eq!(ambient(PR_CAP_AMBIENT_RAISE, KILL), Err(Errno::EPERM));
        set([ALL, ALL, 1 << KILL | 1 << CHOWN]).unwrap();
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_RAISE, KILL), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_RAISE, CHOWN), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(1));
        assert_eq!(ambient(PR_CAP_AMBIENT_LOWER, CHOWN), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, CHOWN), Ok(0));
        set([ALL, ALL, 0]).unwrap();
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0), "it went with the inheritable one");
        set([ALL, ALL, 1 << KILL]).unwrap();
        assert_eq!(ambient(PR_CAP_AMBIENT_RAISE, KILL), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0));
        assert_eq!(ambient(PR_CAP_AMBIENT_CLEAR_ALL, 1), Err(Errno::EINVAL));
        assert_eq!(ambient(PR_CAP_AMBIENT_IS_SET, LAST + 1), Err(Errno::EINVAL));
        assert_eq!(ambient(5, KILL), Err(Errno::EINVAL));
        let raise = [PR_CAP_AMBIENT_RAISE as usize, KILL as usize, 0, 0];
        assert_eq!(prctl(PR_CAP_AMBIENT, [raise[0], raise[1], 1, 0]), Err(Errno::EINVAL));
        assert_eq!(prctl(PR_CAP_AMBIENT, [raise[0], raise[1], 0, 1]), Err(Errno::EINVAL));
    });
}

#[test]
fn they_go_with_the_last_of_roots_ids_and_the_effective_ones_with_the_effective_id() {
    let none = usize::MAX;
    child::run(|| {
        call(libc::SYS_setresuid, [none, 5, none]).unwrap();
        assert_eq!(get(), [0, ALL, 0]);
        call(libc::SYS_setresuid, [none, 0, none]).unwrap();
        assert_eq!(get(), [ALL, ALL, 0]);
        call(libc::SYS_setresuid, [5, 5, 5]).unwrap();
        assert_eq!(get(), [0; 3]);
    });
}

#[test]
fn they_can_be_kept() {
    child::run(|| {
        assert_eq!(prctl(PR_GET_KEEPCAPS, [0; 4]), Ok(0));
        assert_eq!(prctl(PR_SET_KEEPCAPS, [2, 0, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(prctl(PR_SET_KEEPCAPS, [1, 0, 0, 0]), Ok(0));
        assert_eq!(prctl(PR_GET_KEEPCAPS, [0; 4]), Ok(1));
        assert_eq!(prctl(PR_GET_SECUREBITS, [0; 4]), Ok(0x10));
        setuid(5).unwrap();
        assert_eq!(get(), [0, ALL, 0]);
        set([1 << KILL, 1 << KILL, 0]).unwrap();
        assert_eq!(signal::send(1, 0), Ok(()));
        assert_eq!(after_exec(), [0; 3]);
    });
}

#[test]
fn secure_bits_can_be_locked() {
    child::run(|| {
        let set_bits = |bits: usize| prctl(PR_SET_SECUREBITS, [bits, 0, 0, 0]);
        assert_eq!(prctl(PR_GET_SECUREBITS, [0; 4]), Ok(0));
        assert_eq!(set_bits(0x100), Err(Errno::EPERM));
        assert_eq!(set_bits(0x30), Ok(0));
        assert_eq!(prctl(PR_GET_SECUREBITS, [0; 4]), Ok(0x30));
        assert_eq!(set_bits(0x20), Err(Errno::EPERM));
        assert_eq!(set_bits(0x10), Err(Errno::EPERM));
        assert_eq!(prctl(PR_SET_KEEPCAPS, [0, 0, 0, 0]), Err(Errno::EPERM));
        // SECBIT_NO_SETUID_FIXUP: the IDs say nothing of capabilities.
        assert_eq!(set_bits(0x34), Ok(0));
        setuid(5).unwrap();
        assert_eq!(get(), [ALL, ALL, 0]);
        // SECBIT_NO_CAP_AMBIENT_RAISE.
        assert_eq!(set_bits(0x74), Ok(0));
        set([ALL, ALL, 1 << KILL]).unwrap();
        let raise = [PR_CAP_AMBIENT_RAISE as usize, KILL as usize, 0, 0];
        assert_eq!(prctl(PR_CAP_AMBIENT, raise), Err(Errno::EPERM));
        set([without(&[SETPCAP]), ALL, 0]).unwrap();
        assert_eq!(set_bits(0x74), Err(Errno::EPERM));
    });
    // SECBIT_NOROOT: root's programs are as everybody's.
    child::run(|| {
        assert_eq!(prctl(PR_SET_SECUREBITS, [1, 0, 0, 0]), Ok(0));
        assert_eq!(after_exec(), [0; 3]);
    });
}
