//! setresuid(2), setreuid(2), setuid(2), and the same for groups: real, effective and saved IDs, as in credentials(7).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, signal, sys};

const KEEP: usize = u32::MAX as usize;

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here read memory at most.
    unsafe { sys::call(number, arguments) }
}

/// The kind of IDs: of users or of groups.
#[derive(Clone, Copy)]
struct Kind {
    set: libc::c_long,
    setre: libc::c_long,
    setres: libc::c_long,
    getres: libc::c_long,
    get: libc::c_long,
    gete: libc::c_long,
}

const USER: Kind = Kind {
    set: libc::SYS_setuid,
    setre: libc::SYS_setreuid,
    setres: libc::SYS_setresuid,
    getres: libc::SYS_getresuid,
    get: libc::SYS_getuid,
    gete: libc::SYS_geteuid,
};
const GROUP: Kind = Kind {
    set: libc::SYS_setgid,
    setre: libc::SYS_setregid,
    setres: libc::SYS_setresgid,
    getres: libc::SYS_getresgid,
    get: libc::SYS_getgid,
    gete: libc::SYS_getegid,
};

impl Kind {
    /// Real, effective, saved.
    fn ids(self) -> [u32; 3] {
        let mut ids = [7_u32; 3];
        let [real, effective, saved] = &mut ids;
        let at = [real, effective, saved].map(|id| core::ptr::from_mut(id).addr());
        // SAFETY: the three are ours.
        unsafe { sys::call(self.getres, at) }.unwrap();
        assert_eq!(call(self.get, [0; 0]), Ok(ids[0] as usize));
        assert_eq!(call(self.gete, [0; 0]), Ok(ids[1] as usize));
        ids
    }
}

#[test]
fn each_id_is_set_alone() {
    for kind in [USER, GROUP] {
        child::run(|| {
            assert_eq!(kind.ids(), [0, 0, 0]);
            assert_eq!(call(kind.setres, [KEEP, KEEP, 3]), Ok(0));
            assert_eq!(kind.ids(), [0, 0, 3]);
            assert_eq!(call(kind.setres, [1, KEEP, KEEP]), Ok(0));
            assert_eq!(kind.ids(), [1, 0, 3]);
            assert_eq!(call(kind.setres, [KEEP, 2, KEEP]), Ok(0));
            assert_eq!(kind.ids(), [1, 2, 3]);
            child::run(|| assert_eq!(kind.ids(), [1, 2, 3]));
        });
    }
}

#[test]
fn without_the_right_each_can_become_what_another_is() {
    for kind in [USER, GROUP] {
        child::run(|| {
            if kind.set == GROUP.set {
                call(GROUP.setres, [1, 2, 3]).unwrap();
                call(USER.setres, [9, 9, 9]).unwrap();
            } else {
                call(USER.setres, [1, 2, 3]).unwrap();
            }
            assert_eq!(call(kind.setres, [KEEP, 0, KEEP]), Err(Errno::EPERM));
            assert_eq!(call(kind.setres, [1, 2, 4]), Err(Errno::EPERM));
            assert_eq!(kind.ids(), [1, 2, 3]);
            assert_eq!(call(kind.setres, [3, 1, 2]), Ok(0));
            assert_eq!(kind.ids(), [3, 1, 2]);
            assert_eq!(call(kind.setres, [1, 1, 1]), Ok(0));
            assert_eq!(call(kind.setres, [KEEP, 3, KEEP]), Err(Errno::EPERM));
        });
    }
}

#[test]
fn setuid_sets_all_for_root_and_the_effective_one_for_others() {
    for kind in [USER, GROUP] {
        child::run(|| {
            assert_eq!(call(kind.set, [5]), Ok(0));
            assert_eq!(kind.ids(), [5, 5, 5]);
        });
        child::run(|| {
            if kind.set == GROUP.set {
                call(GROUP.setres, [1, 2, 3]).unwrap();
                call(USER.setres, [9, 9, 9]).unwrap();
            } else {
                call(USER.setres, [1, 2, 3]).unwrap();
            }
            assert_eq!(call(kind.set, [3]), Ok(0));
            assert_eq!(kind.ids(), [1, 3, 3]);
            assert_eq!(call(kind.set, [1]), Ok(0));
            assert_eq!(kind.ids(), [1, 1, 3]);
            assert_eq!(call(kind.set, [2]), Err(Errno::EPERM));
            assert_eq!(call(kind.set, [KEEP]), Err(Errno::EINVAL));
        });
    }
}

#[test]
fn setreuid_saves_the_effective_one() {
    for kind in [USER, GROUP] {
        child::run(|| {
            assert_eq!(call(kind.setre, [KEEP, 5]), Ok(0));
            assert_eq!(kind.ids(), [0, 5, 5]);
        });
        child::run(|| {
            assert_eq!(call(kind.setre, [5, KEEP]), Ok(0));
            assert_eq!(kind.ids(), [5, 0, 0]);
        });
        child::run(|| {
            assert_eq!(call(kind.setre, [KEEP, 0]), Ok(0));
            assert_eq!(kind.ids(), [0, 0, 0]);
            call(kind.setres, [KEEP, KEEP, 4]).unwrap();
            assert_eq!(call(kind.setre, [KEEP, 0]), Ok(0));
            assert_eq!(kind.ids(), [0, 0, 4]);
        });
        child::run(|| {
            if kind.set == GROUP.set {
                call(GROUP.setres, [1, 2, 3]).unwrap();
                call(USER.setres, [9, 9, 9]).unwrap();
            } else {
                call(USER.setres, [1, 2, 3]).unwrap();
            }
            assert_eq!(call(kind.setre, [3, KEEP]), Err(Errno::EPERM));
            assert_eq!(call(kind.setre, [KEEP, 4]), Err(Errno::EPERM));
            assert_eq!(call(kind.setre, [KEEP, 3]), Ok(0));
            assert_eq!(kind.ids(), [1, 3, 3]);
            assert_eq!(call(kind.setre, [3, 1]), Ok(0));
            assert_eq!(kind.ids(), [3, 1, 1]);
        });
    }
}

#[test]
fn files_belong_to_the_effective_ids_and_access_asks_the_real_ones() {
    let secret = c"/tmp/setresuid-secret";
    fs::write("/tmp/setresuid-secret", "x").unwrap();
    fs::set_permissions("/tmp/setresuid-secret", fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions("/tmp", fs::Permissions::from_mode(0o1777)).unwrap();
    let faccessat2 = |flags: i32| {
        let at =
            [libc::AT_FDCWD as usize, secret.as_ptr().addr(), libc::R_OK as usize, flags as usize];
        call(libc::SYS_faccessat2, at)
    };
    child::run(|| {
        call(GROUP.setres, [KEEP, 6, KEEP]).unwrap();
        call(USER.setres, [KEEP, 5, KEEP]).unwrap();
        let name = "/tmp/setresuid-file";
        let _ = fs::remove_file(name);
        fs::write(name, "x").unwrap();
        let made = fs::metadata(name).unwrap();
        assert_eq!((made.uid(), made.gid()), (5, 6));
        fs::remove_file(name).unwrap();
        assert_eq!(fd::open("/tmp/setresuid-secret", libc::O_RDONLY, 0), Err(Errno::EACCES));
        assert_eq!(faccessat2(libc::AT_EACCESS), Err(Errno::EACCES));
        assert_eq!(faccessat2(0), Ok(0));
        assert_eq!(call(libc::SYS_access, [secret.as_ptr().addr(), 4]), Ok(0));
    });
    child::run(|| {
        call(USER.setres, [5, KEEP, KEEP]).unwrap();
        assert_eq!(faccessat2(libc::AT_EACCESS), Ok(0));
        assert_eq!(faccessat2(0), Err(Errno::EACCES));
    });
}

#[test]
fn signals_go_from_real_or_effective_to_real_or_saved() {
    let receiver = |ids: [usize; 3]| {
        let (reader, writer) = fd::pipe();
        let child = child::spawn(|| {
            call(USER.setres, ids).unwrap();
            writer.write(b"x").unwrap();
            loop {
                std::thread::park();
            }
        });
        reader.read(1).unwrap();
        child
    };
    let is_allowed = |sender: [usize; 3], receiver: &child::Child| {
        let status = child::status(|| {
            call(USER.setres, sender).unwrap();
            let result = signal::send(receiver.pid(), 0);
            assert!(result == Ok(()) || result == Err(Errno::EPERM));
            child::exit(i32::from(result.is_err()));
        });
        status == child::Status::Exited(0)
    };
    let other = receiver([1, 2, 3]);
    assert!(is_allowed([1, 9, 9], &other));
    assert!(is_allowed([9, 1, 9], &other));
    assert!(!is_allowed([9, 9, 1], &other));
    assert!(!is_allowed([2, 2, 2], &other));
    assert!(is_allowed([3, 9, 9], &other));
    assert!(is_allowed([9, 3, 9], &other));
    assert!(is_allowed([9, 0, 9], &other));
}

/// Runs `work` as an unprivileged user without supplementary groups.
fn as_nobody(work: impl FnOnce()) {
    child::run(|| {
        assert_eq!(call(GROUP.setres, [1000; 3]), Ok(0));
        assert_eq!(call(USER.setres, [1000; 3]), Ok(0));
        call(libc::SYS_umask, [0]).unwrap();
        work();
    });
}

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_change_by_others_takes_from_a_program_the_rights_that_it_gives() {
    let path = "/tmp/setresuid-changed";
    let changes: [fn(&str); 5] = [
        |path| assert_eq!(fd::open(path, libc::O_WRONLY, 0).unwrap().write(b"x"), Ok(1)),
        |path| drop(fd::open(path, libc::O_WRONLY | libc::O_TRUNC, 0).unwrap()),
        |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1).unwrap(),
        |path| {
            let path = std::ffi::CString::new(path).unwrap();
            assert_eq!(call(libc::SYS_truncate, [path.as_ptr().addr(), 1]), Ok(0));
        },
        |path| {
            let file = fd::open(path, libc::O_WRONLY, 0).unwrap();
            assert_eq!(call(libc::SYS_fallocate, [file.number() as usize, 0, 0, 9]), Ok(0));
        },
    ];
    for change in changes {
        for (before, after) in [(0o6777, 0o777), (0o4666, 0o666), (0o2767, 0o767)] {
            fs::write(path, b"#!").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(before)).unwrap();
            as_nobody(|| change(path));
            assert_eq!(mode(path), after, "{before:o}");
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o6777)).unwrap();
    fs::write(path, b"root may").unwrap();
    assert_eq!(mode(path), 0o6777);
}

#[test]
fn a_directory_gives_its_group_but_not_the_right_to_run_with_it() {
    let directory = "/tmp/setresuid-group";
    let _ = fs::remove_dir_all(directory);
    fs::create_dir(directory).unwrap();
    std::os::unix::fs::chown(directory, None, Some(70)).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o2777)).unwrap();
    as_nobody(|| {
        for (wanted, given) in [(0o2770, 0o770), (0o2760, 0o2760), (0o770, 0o770)] {
            let path = format!("{directory}/{wanted:o}");
            drop(fd::open(&path, libc::O_CREAT | libc::O_WRONLY, wanted).unwrap());
            assert_eq!((fs::metadata(&path).unwrap().gid(), mode(&path)), (70, given));
        }
    });
}
