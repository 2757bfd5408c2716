//! setgroups(2), getgroups(2), setfsuid(2), setfsgid(2): what a process may do with files by its groups, and by an ID
//! that counts for files alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, sys};

const NGROUPS_MAX: usize = 65_536;

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here write to memory of this test at most.
    unsafe { sys::call(number, arguments) }
}

fn set(groups: &[u32]) -> Result<usize> {
    call(libc::SYS_setgroups, [groups.len(), groups.as_ptr().addr()])
}

fn get() -> Vec<u32> {
    let count = call(libc::SYS_getgroups, [0, 0]).unwrap();
    let mut groups = vec![7_u32; count];
    assert_eq!(call(libc::SYS_getgroups, [count, groups.as_mut_ptr().addr()]), Ok(count));
    groups
}

fn become_user(uid: usize, gid: usize) {
    assert_eq!(call(libc::SYS_setresgid, [gid; 3]), Ok(0));
    assert_eq!(call(libc::SYS_setresuid, [uid; 3]), Ok(0));
}

fn status(line: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|candidate| candidate.strip_prefix(line));
    found.unwrap_or_else(|| panic!("no {line} in {status}")).to_owned()
}

/// A file with this mode, of user and group 0 unless changed; removed when dropped.
struct File(String);

impl File {
    fn new(name: &str, mode: u32, uid: u32, gid: u32) -> Self {
        let path = format!("/tmp/setgroups-{name}-{}", sys::getpid());
        fs::write(&path, "text").unwrap();
        chown(&path, Some(uid), Some(gid)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }

    fn open(&self, flags: i32) -> Result<()> {
        fd::open(&self.0, flags, 0).map(drop)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_groups_are_kept_sorted_and_shown() {
    child::run(|| {
        assert_eq!(set(&[30, 10, 20, 10]), Ok(0));
        assert_eq!(get(), [10, 10, 20, 30]);
        assert_eq!(status("Groups:\t"), "10 10 20 30 ");
        child::run(|| assert_eq!(get(), [10, 10, 20, 30]));
        assert_eq!(set(&[]), Ok(0));
        assert_eq!(get(), []);
        assert_eq!(status("Groups:\t"), " ");
    });
}

#[test]
fn a_file_is_open_to_the_members_of_its_group() {
    let file = File::new("member", 0o640, 0, 4321);
    let closed = File::new("closed", 0o604, 0, 4321);
    child::run(|| {
        assert_eq!(set(&[1, 4321, 9999]), Ok(0));
        become_user(1000, 1000);
        assert_eq!(file.open(libc::O_RDONLY), Ok(()));
        assert_eq!(file.open(libc::O_WRONLY), Err(Errno::EACCES));
        // The first class that matches counts, although others may read.
        assert_eq!(closed.open(libc::O_RDONLY), Err(Errno::EACCES));
    });
    child::run(|| {
        assert_eq!(set(&[4320, 4322]), Ok(0));
        become_user(1000, 1000);
        assert_eq!(file.open(libc::O_RDONLY), Err(Errno::EACCES));
    });
}

#[test]
fn an_owner_gives_a_file_to_a_group_of_the_owners() {
    let file = File::new("given", 0o644, 1000, 1000);
    child::run(|| {
        assert_eq!(set(&[4321]), Ok(0));
        become_user(1000, 1000);
        chown(&file.0, None, Some(4321)).unwrap();
        assert!(chown(&file.0, None, Some(4322)).is_err());
        // A member of the file's group may set its set-group-ID bit.
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o2755)).unwrap();
        assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o7777, 0o2755);
    });
}

#[test]
fn only_the_privileged_set_groups() {
    child::run(|| {
        assert_eq!(set(&[5]), Ok(0));
        become_user(1000, 1000);
        assert_eq!(set(&[]), Err(Errno::EPERM));
        assert_eq!(set(&[1000]), Err(Errno::EPERM));
        assert_eq!(call(libc::SYS_setgroups, [NGROUPS_MAX + 1, UNMAPPED]), Err(Errno::EPERM));
        assert_eq!(get(), [5]);
    });
}

#[test]
fn wrong_arguments_change_nothing() {
    child::run(|| {
        assert_eq!(set(&[5, 6]), Ok(0));
        assert_eq!(call(libc::SYS_setgroups, [NGROUPS_MAX + 1, UNMAPPED]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_setgroups, [-1_i32 as usize, UNMAPPED]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_setgroups, [1, UNMAPPED]), Err(Errno::EFAULT));
        assert_eq!(set(&[1, u32::MAX]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_getgroups, [1, UNMAPPED]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_getgroups, [-1_i32 as usize, UNMAPPED]), Err(Errno::EINVAL));
        assert_eq!(call(libc::SYS_getgroups, [2, UNMAPPED]), Err(Errno::EFAULT));
        assert_eq!(get(), [5, 6]);
    });
}

#[test]
fn there_may_be_very_many() {
    child::run(|| {
        let groups: Vec<u32> = (0..NGROUPS_MAX as u32).rev().collect();
        assert_eq!(set(&groups), Ok(0));
        assert!(get().iter().copied().eq(0..NGROUPS_MAX as u32));
    });
}

#[test]
fn an_id_for_files_counts_for_files_alone() {
    let file = File::new("fsuid", 0o600, 1000, 0);
    let roots = File::new("roots", 0o600, 0, 0);
    child::run(|| {
        assert_eq!(call(libc::SYS_setfsuid, [1000]), Ok(0));
        assert_eq!(call(libc::SYS_setfsuid, [u32::MAX as usize]), Ok(1000));
        assert_eq!(status("Uid:\t"), "0\t0\t0\t1000");
        assert_eq!(file.open(libc::O_RDWR), Ok(()));
        // Rights over files are gone with root's ID for files, others are not.
        assert_eq!(roots.open(libc::O_RDONLY), Err(Errno::EACCES));
        assert_eq!(call(libc::SYS_setfsgid, [50]), Ok(0));
        assert_eq!(call(libc::SYS_setfsgid, [50]), Ok(50));
        assert_eq!(status("Gid:\t"), "0\t0\t0\t50");
        assert_eq!(call(libc::SYS_setfsuid, [0]), Ok(1000));
        assert_eq!(roots.open(libc::O_RDONLY), Ok(()));
    });
}

#[test]
fn the_id_for_files_follows_the_effective_one() {
    child::run(|| {
        assert_eq!(call(libc::SYS_setfsuid, [1000]), Ok(0));
        assert_eq!(call(libc::SYS_setresuid, [0, 7, 0]), Ok(0));
        assert_eq!(status("Uid:\t"), "0\t7\t0\t7");
        // Without the right, only one of the four.
        assert_eq!(call(libc::SYS_setfsuid, [9]), Ok(7));
        assert_eq!(call(libc::SYS_setfsuid, [0]), Ok(7));
        assert_eq!(status("Uid:\t"), "0\t7\t0\t0");
    });
}
