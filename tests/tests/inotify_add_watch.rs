//! inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2): arguments, errors, limits.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use libc::{
    IN_ALL_EVENTS, IN_ATTRIB, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_DONT_FOLLOW, IN_IGNORED,
    IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE, IN_MODIFY, IN_ONESHOT, IN_ONLYDIR, IN_OPEN, O_RDONLY,
};
use pollux_tests::inotify::{self, add, named, own, remove};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::{Errno, Fd, child, fd, sys};

/// Makes an empty directory.
fn directory(name: &str) -> String {
    let path = format!("/tmp/watch-{name}");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

/// Makes a file in a directory of its own.
fn file(name: &str) -> String {
    let path = format!("{}/f", directory(name));
    fs::write(&path, "text").unwrap();
    path
}

#[test]
fn an_instance_has_two_flags() {
    assert_eq!(inotify::init(1).map(drop), Err(Errno::EINVAL));
    assert_eq!(inotify::init(-1).map(drop), Err(Errno::EINVAL));
    let plain = inotify::init(0).unwrap();
    assert_eq!(plain.fcntl(libc::F_GETFL, 0), Ok(O_RDONLY));
    assert_eq!(plain.fcntl(libc::F_GETFD, 0), Ok(0));
    let flagged = inotify::init(libc::IN_NONBLOCK | libc::IN_CLOEXEC).unwrap();
    assert_eq!(flagged.fcntl(libc::F_GETFL, 0), Ok(libc::O_NONBLOCK));
    assert_eq!(flagged.fcntl(libc::F_GETFD, 0), Ok(1));
    assert_eq!(plain.write(b"x"), Err(Errno::EBADF));
    let name = fs::read_link(format!("/proc/self/fd/{}", plain.number())).unwrap();
    assert_eq!(name.to_str(), Some("anon_inode:inotify"));
    // SAFETY: no memory is involved.
    let old = unsafe { sys::call(libc::SYS_inotify_init, []) }.unwrap();
    drop(Fd::from_number(old as i32));
}

#[test]
fn bad_arguments() {
    let path = file("errors");
    let instance = inotify::instance();
    assert_eq!(add(&instance, &path, 0), Err(Errno::EINVAL));
    assert_eq!(add(&instance, &path, 1 << 12), Err(Errno::EINVAL));
    assert_eq!(add(&instance, &path, IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), Err(Errno::EINVAL));
    assert_eq!(add(&instance, "/tmp/watch-none", IN_OPEN), Err(Errno::ENOENT));
    assert_eq!(add(&instance, "", IN_OPEN), Err(Errno::ENOENT));
    assert_eq!(add(&instance, format!("{path}/x"), IN_OPEN), Err(Errno::ENOTDIR));
    assert_eq!(add(&instance, &path, IN_OPEN | IN_ONLYDIR), Err(Errno::ENOTDIR));
    assert_eq!(inotify::add_at(instance.number(), UNMAPPED, IN_OPEN), Err(Errno::EFAULT));
    assert_eq!(inotify::add_at(instance.number(), UNMAPPED, 0), Err(Errno::EINVAL));
    assert_eq!(inotify::add_at(-1, UNMAPPED, IN_OPEN), Err(Errno::EBADF));
    assert_eq!(inotify::add_at(-1, UNMAPPED, 0), Err(Errno::EINVAL));
    let other = fd::eventfd(0, 0).unwrap();
    assert_eq!(add(&other, &path, IN_OPEN), Err(Errno::EINVAL));
    assert_eq!(remove(&other, 1), Err(Errno::EINVAL));
    assert_eq!(remove(&instance, 1), Err(Errno::EINVAL));
    assert_eq!(remove(&instance, -1), Err(Errno::EINVAL));
    // Flags alone watch for nothing, and that is no error.
    assert_eq!(add(&instance, &path, IN_DONT_FOLLOW), Ok(1));
}

#[test]
fn only_a_file_that_may_be_read_is_watched() {
    let path = file("rights");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o222)).unwrap();
    child::run(|| {
        let instance = inotify::instance();
        assert_eq!(add(&instance, &path, IN_OPEN), Ok(1));
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1000) }, 0);
        assert_eq!(add(&instance, &path, IN_OPEN), Err(Errno::EACCES));
    });
}

#[test]
fn a_file_has_one_watch_whatever_its_path() {
    let path = file("one");
    let link = format!("{}/link", directory("one-link"));
    symlink(&path, &link).unwrap();
    let instance = inotify::instance();
    assert_eq!(add(&instance, &path, IN_OPEN), Ok(1));
    assert_eq!(add(&instance, &link, IN_OPEN), Ok(1));
    assert_eq!(add(&instance, &link, IN_OPEN | IN_DONT_FOLLOW), Ok(2));
    assert_eq!(add(&inotify::instance(), &path, IN_OPEN), Ok(1));
}

#[test]
fn a_second_mask_replaces_adds_or_is_refused() {
    let path = directory("masks");
    let instance = inotify::instance();
    assert_eq!(add(&instance, &path, IN_CREATE), Ok(1));
    assert_eq!(add(&instance, &path, IN_OPEN | IN_MASK_CREATE), Err(Errno::EEXIST));
    assert_eq!(add(&instance, &path, IN_DELETE), Ok(1));
    let touch = || {
        fs::write(format!("{path}/f"), "").unwrap();
        fs::remove_file(format!("{path}/f")).unwrap();
    };
    touch();
    assert_eq!(inotify::events(&instance), [named(1, IN_DELETE, "f")]);
    assert_eq!(add(&instance, &path, IN_CREATE | IN_MASK_ADD), Ok(1));
    touch();
    assert_eq!(inotify::events(&instance), [named(1, IN_CREATE, "f"), named(1, IN_DELETE, "f")]);
    assert_eq!(remove(&instance, 1), Ok(0));
    assert_eq!(add(&instance, &path, IN_OPEN | IN_MASK_CREATE), Ok(2));
}

#[test]
fn a_removed_watch_says_so_and_its_number_is_not_used_again() {
    let path = file("removed");
    let instance = inotify::instance();
    for watch in 1..5 {
        assert_eq!(add(&instance, &path, IN_OPEN), Ok(watch));
        assert_eq!(remove(&instance, watch), Ok(0));
        assert_eq!(remove(&instance, watch), Err(Errno::EINVAL));
        assert_eq!(inotify::events(&instance), [own(watch, IN_IGNORED)]);
    }
    drop(fd::open(&path, O_RDONLY, 0).unwrap());
    assert_eq!(inotify::events(&instance), []);
}

#[test]
fn one_event_can_be_all() {
    let path = file("oneshot");
    let instance = inotify::instance();
    assert_eq!(add(&instance, &path, IN_OPEN | IN_MODIFY | IN_ONESHOT), Ok(1));
    fs::write(&path, "other").unwrap();
    assert_eq!(inotify::events(&instance), [own(1, IN_MODIFY), own(1, IN_IGNORED)]);
    assert_eq!(remove(&instance, 1), Err(Errno::EINVAL));
    assert_eq!(add(&instance, &path, IN_DELETE_SELF | IN_ONESHOT), Ok(2));
    fs::remove_file(&path).unwrap();
    assert_eq!(inotify::events(&instance), [own(2, IN_DELETE_SELF), own(2, IN_IGNORED)]);
    // IN_MASK_ADD keeps IN_ONESHOT.
    fs::write(&path, "again").unwrap();
    assert_eq!(add(&instance, &path, IN_OPEN | IN_ONESHOT), Ok(3));
    assert_eq!(add(&instance, &path, IN_ATTRIB | IN_MASK_ADD), Ok(3));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(inotify::events(&instance), [own(3, IN_ATTRIB), own(3, IN_IGNORED)]);
}

#[test]
fn closing_an_instance_ends_its_watches() {
    let path = directory("closed");
    let (first, second) = (inotify::instance(), inotify::instance());
    for instance in [&first, &second] {
        add(instance, &path, IN_CREATE).unwrap();
    }
    drop(first);
    fs::create_dir(format!("{path}/d")).unwrap();
    assert_eq!(inotify::events(&second), [named(1, IN_CREATE | IN_ISDIR, "d")]);
}

/// Returns the number in a file of `/proc/sys/fs/inotify`.
fn limit(name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap();
    text.trim().parse().unwrap()
}

#[test]
fn a_user_has_a_limited_number_of_instances() {
    assert_eq!(limit("max_user_instances"), 128);
    assert_eq!(limit("max_queued_events"), 16384);
    assert!(limit("max_user_watches") >= 8192);
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        let mut instances: Vec<Fd> = (0..128).map(|_| inotify::init(0).unwrap()).collect();
        assert_eq!(inotify::init(0).map(drop), Err(Errno::EMFILE));
        instances.pop();
        instances.push(inotify::init(0).unwrap());
        assert_eq!(inotify::init(0).map(drop), Err(Errno::EMFILE));
    });
}

#[test]
fn a_user_has_a_limited_number_of_watches() {
    const LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";
    let (path, most) = (directory("many"), limit("max_user_watches"));
    for number in 0..5 {
        fs::write(format!("{path}/{number}"), "").unwrap();
    }
    fs::write(LIMIT, "4\n").unwrap();
    assert_eq!(limit("max_user_watches"), 4);
    let instance = inotify::instance();
    let results: Vec<_> =
        (0..5).map(|n| add(&instance, format!("{path}/{n}"), IN_ALL_EVENTS)).collect();
    let again = add(&instance, format!("{path}/1"), IN_ALL_EVENTS);
    remove(&instance, 1).unwrap();
    let freed = add(&instance, format!("{path}/4"), IN_ALL_EVENTS);
    fs::write(LIMIT, format!("{most}\n")).unwrap();
    assert_eq!(results, [Ok(1), Ok(2), Ok(3), Ok(4), Err(Errno::ENOSPC)]);
    // The number of the watch that was refused is not used again.
    assert_eq!((again, freed), (Ok(2), Ok(6)));
}

#[test]
fn fdinfo_lists_the_watches() {
    let path = file("fdinfo");
    let instance = inotify::instance();
    add(&instance, &path, IN_OPEN | IN_MODIFY).unwrap();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", instance.number())).unwrap();
    let line =
        text.lines().find(|line| line.starts_with("inotify")).unwrap_or_else(|| panic!("{text}"));
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
    let start = format!("inotify wd:1 ino:{inode:x} sdev:");
    assert!(line.starts_with(&start), "{line}");
    assert!(
        line.contains(" mask:22 ignored_mask:0 fhandle-bytes:c fhandle-type:1 f_handle:"),
        "{line}"
    );
}
