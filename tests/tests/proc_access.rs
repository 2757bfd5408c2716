//! ptrace(2) "Ptrace access mode checking": who may look into a process through its files in `/proc`.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pollux_tests::fd::{self, Fd};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, child, signal};

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here write to memory of this test at most.
    unsafe { sys::call(number, arguments) }
}

fn become_user(uid: usize) {
    assert_eq!(call(libc::SYS_setresgid, [uid; 3]), Ok(0));
    assert_eq!(call(libc::SYS_setresuid, [uid; 3]), Ok(0));
    // As a program has it that was started so.
    assert_eq!(call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0]), Ok(0));
}

fn read_link(path: &str) -> Result<Vec<u8>> {
    let path = CString::new(path).unwrap();
    let mut target = vec![0_u8; 256];
    let len =
        call(libc::SYS_readlink, [path.as_ptr().addr(), target.as_mut_ptr().addr(), target.len()])?;
    target.truncate(len);
    Ok(target)
}

/// A child of the user `uid` (`None`: root) that waits; its working directory is closed to others on the way there.
fn target(uid: Option<usize>, directory: &str, prepare: impl FnOnce()) -> child::Child {
    let (ready, report) = fd::pipe();
    let child = child::spawn(move || {
        std::env::set_current_dir(directory).unwrap();
        if let Some(uid) = uid {
            become_user(uid);
        }
        prepare();
        report.write(b"x").unwrap();
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    assert_eq!(ready.read(1).unwrap(), b"x");
    child
}

/// What a program may learn of a process: links, descriptors, maps, in this order.
fn looks_into(pid: i32) -> [Result<()>; 6] {
    let proc = format!("/proc/{pid}");
    [
        read_link(&format!("{proc}/cwd")).map(drop),
        read_link(&format!("{proc}/exe")).map(drop),
        read_link(&format!("{proc}/root")).map(drop),
        fd::open(&format!("{proc}/cwd"), libc::O_RDONLY | libc::O_DIRECTORY, 0).map(drop),
        fd::open(&format!("{proc}/fd"), libc::O_RDONLY | libc::O_DIRECTORY, 0).map(drop),
        fd::open(&format!("{proc}/maps"), libc::O_RDONLY, 0).map(drop),
    ]
}

const CLOSED: [Result<()>; 6] = [Err(Errno::EACCES); 6];
const OPEN: [Result<()>; 6] = [Ok(()); 6];

#[test]
fn a_users_process_is_open_to_that_user_and_to_root() {
    let users = target(Some(1000), "/", || {});
    let roots = target(None, "/", || {});
    assert_eq!(looks_into(users.pid()), OPEN);
    child::run(|| {
        become_user(1000);
        assert_eq!(looks_into(users.pid()), OPEN);
        assert_eq!(looks_into(roots.pid()), CLOSED);
        assert_eq!(looks_into(1), CLOSED);
        // What everybody may know.
        for name in
            ["stat", "status", "statm", "cmdline", "comm", "limits", "oom_score", "oom_score_adj"]
        {
            fs::read(format!("/proc/{}/{name}", roots.pid()))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    });
    child::run(|| {
        become_user(1001);
        assert_eq!(looks_into(users.pid()), CLOSED);
    });
}

#[test]
fn each_id_of_the_target_counts() {
    for (call_number, ids) in [
        (libc::SYS_setresuid, [0, 1000, 1000]),
        (libc::SYS_setresuid, [1000, 1000, 0]),
        (libc::SYS_setresgid, [0, 1000, 1000]),
        (libc::SYS_setresgid, [1000, 1000, 0]),
    ] {
        let other = target(None, "/", || {
            let both = [libc::SYS_setresgid, libc::SYS_setresuid];
            for number in both {
                let ids = if number == call_number { ids } else { [1000; 3] };
                assert_eq!(call(number, ids), Ok(0));
            }
            assert_eq!(call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0]), Ok(0));
        });
        child::run(|| {
            become_user(1000);
            assert_eq!(looks_into(other.pid())[..3], CLOSED[..3], "{call_number} {ids:?}");
        });
    }
}

#[test]
fn who_has_changed_is_closed_until_it_says_otherwise() {
    let changed = target(None, "/", || {
        assert_eq!(call(libc::SYS_setresgid, [1000; 3]), Ok(0));
        assert_eq!(call(libc::SYS_setresuid, [1000; 3]), Ok(0));
        assert_eq!(call(libc::SYS_prctl, [libc::PR_GET_DUMPABLE as usize, 0, 0, 0, 0]), Ok(0));
        // Its own descriptors are open to it all the same.
        fs::read_dir("/proc/self/fd").unwrap();
        assert!(read_link("/proc/self/cwd").is_ok());
    });
    let metadata = |name: &str| fs::metadata(format!("/proc/{}{name}", changed.pid())).unwrap();
    assert_eq!(
        [metadata("").uid(), metadata("/status").uid(), metadata("/fd").uid()],
        [1000, 0, 0]
    );
    child::run(|| {
        become_user(1000);
        assert_eq!(looks_into(changed.pid()), CLOSED);
    });
}

#[test]
fn a_link_leads_past_closed_directories_for_who_may_follow_it() {
    let closed = format!("/tmp/proc-access-{}", sys::getpid());
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let inner = format!("{closed}/inner");
    fs::create_dir(&inner).unwrap();
    fs::write(format!("{inner}/text"), "text").unwrap();
    let users = target(Some(1000), &inner, || {});
    let roots = target(None, &inner, || {});
    child::run(|| {
        become_user(1000);
        assert_eq!(
            fd::open(&format!("{inner}/text"), libc::O_RDONLY, 0).err(),
            Some(Errno::EACCES)
        );
        assert_eq!(fs::read(format!("/proc/{}/cwd/text", users.pid())).unwrap(), b"text");
        let path = format!("/proc/{}/cwd/text", roots.pid());
        assert_eq!(fd::open(&path, libc::O_RDONLY, 0).err(), Some(Errno::EACCES));
        let path = CString::new(format!("/proc/{}/cwd", roots.pid())).unwrap();
        assert_eq!(call(libc::SYS_chdir, [path.as_ptr().addr()]), Err(Errno::EACCES));
    });
    drop((users, roots));
    fs::remove_dir_all(&closed).unwrap();
}

#[test]
fn a_handle_of_the_descriptors_ends_with_the_right() {
    let (ready, report) = fd::pipe();
    let (orders, order) = fd::pipe();
    let secret = format!("/tmp/proc-access-secret-{}", sys::getpid());
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let path = secret.clone();
    let changes = child::spawn(move || {
        assert_eq!(call(libc::SYS_setresgid, [1000, 1000, 0]), Ok(0));
        assert_eq!(call(libc::SYS_setresuid, [1000, 1000, 0]), Ok(0));
        assert_eq!(call(libc::SYS_setresgid, [1000, 1000, 1000]), Ok(0));
        assert_eq!(call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0]), Ok(0));
        report.write(b"a").unwrap();
        orders.read(1).unwrap();
        assert_eq!(call(libc::SYS_setresuid, [0; 3]), Ok(0));
        let file = fd::open(&path, libc::O_RDWR, 0).unwrap();
        fd::dup2(file.number(), 77).unwrap();
        report.write(b"b").unwrap();
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    assert_eq!(ready.read(1).unwrap(), b"a");
    let directory: Fd =
        fd::open(&format!("/proc/{}/fd", changes.pid()), libc::O_RDONLY | libc::O_DIRECTORY, 0)
            .unwrap();
    order.write(b"x").unwrap();
    assert_eq!(ready.read(1).unwrap(), b"b");
    child::run(|| {
        become_user(1000);
        let name = c"77".as_ptr().addr();
        let at = directory.number() as usize;
        let opened = call(libc::SYS_openat, [at, name, libc::O_RDONLY as usize, 0]);
        assert_eq!(opened, Err(Errno::EACCES));
        let mut target = [0_u8; 100];
        let read = call(libc::SYS_readlinkat, [at, name, target.as_mut_ptr().addr(), target.len()]);
        assert_eq!(read, Err(Errno::EACCES));
    });
    fs::remove_file(&secret).unwrap();
}

#[test]
fn a_process_that_has_ended_has_no_links() {
    let ended = child::spawn(|| {});
    while !child::peek(ended.pid()) {}
    let proc = format!("/proc/{}", ended.pid());
    assert_eq!(read_link(&format!("{proc}/cwd")), Err(Errno::ENOENT));
    assert_eq!(read_link(&format!("{proc}/exe")), Err(Errno::ENOENT));
    assert_eq!(read_link(&format!("{proc}/root")), Err(Errno::ENOENT));
    assert_eq!(fs::read(format!("{proc}/maps")).unwrap(), b"");
    ended.join();
}

#[test]
fn a_parents_end_no_longer_concerns_who_has_changed() {
    child::run(|| {
        assert_eq!(
            call(
                libc::SYS_prctl,
                [libc::PR_SET_PDEATHSIG as usize, libc::SIGTERM as usize, 0, 0, 0]
            ),
            Ok(0)
        );
        assert_eq!(call(libc::SYS_setresuid, [1000, 1000, 0]), Ok(0));
        let mut number = 7_i32;
        let at = (&raw mut number).addr();
        assert_eq!(call(libc::SYS_prctl, [libc::PR_GET_PDEATHSIG as usize, at, 0, 0, 0]), Ok(0));
        assert_eq!(number, 0);
    });
}

#[test]
fn a_text_that_cannot_be_written_says_so_whatever_the_limit_on_sizes() {
    child::run(|| {
        signal::handle(libc::SIGXFSZ, 0, libc::SIG_IGN);
        for limit in [u64::MAX, 1] {
            pollux_tests::limit::set(libc::RLIMIT_FSIZE, limit, u64::MAX).unwrap();
            let file = fd::open("/proc/meminfo", libc::O_WRONLY, 0).unwrap();
            assert_eq!(file.write(b"text"), Err(Errno::EIO));
            let file = fd::open("/proc/self/status", libc::O_WRONLY, 0).unwrap();
            assert_eq!(file.write(b"text"), Err(Errno::EINVAL));
            let file = fd::open("/proc/self/maps", libc::O_WRONLY, 0).unwrap();
            assert_eq!(file.write(b"text"), Err(Errno::EINVAL));
            let file = fd::open("/proc/self/oom_score_adj", libc::O_WRONLY, 0).unwrap();
            assert_eq!(file.write(b"5\n"), Ok(2));
        }
    });
}
