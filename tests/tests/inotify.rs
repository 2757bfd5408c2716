//! inotify(7): which events a watched directory or file gets, in which order, with which names.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{self as unix, FileExt, PermissionsExt};
use std::process::{Command, Stdio};

use libc::{
    IN_ACCESS, IN_ALL_EVENTS, IN_ATTRIB, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE,
    IN_DELETE_SELF, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_FROM,
    IN_MOVED_TO, IN_OPEN, IN_UNMOUNT, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};
use pollux_tests::inotify::{self, Event, named, own};
use pollux_tests::{Fd, child, fd, sys};

/// Makes an empty directory.
fn directory(name: &str) -> String {
    let path = format!("/tmp/inotify-{name}");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

/// Makes a directory with a file `f`, and watches the directory and the file for everything.
fn both(name: &str) -> (String, Fd, i32, i32) {
    let path = directory(name);
    fs::write(format!("{path}/f"), "some text").unwrap();
    let instance = inotify::instance();
    let of_directory = inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let of_file = inotify::add(&instance, format!("{path}/f"), IN_ALL_EVENTS).unwrap();
    assert_eq!((of_directory, of_file), (1, 2));
    (path, instance, of_directory, of_file)
}

/// Returns the events without their cookies.
fn events(instance: &Fd) -> Vec<(i32, u32, String)> {
    inotify::events(instance)
        .into_iter()
        .map(|event| (event.watch, event.mask, event.name))
        .collect()
}

/// Asserts the events: `(watch, mask, name)` each.
#[track_caller]
fn expect(instance: &Fd, expected: &[(i32, u32, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|&(watch, mask, name)| (watch, mask, name.to_owned())).collect();
    assert_eq!(events(instance), expected);
}

#[test]
fn each_use_of_a_file_is_told_to_the_directory_by_name_and_to_the_file_without() {
    let (path, instance, d, f) = both("uses");
    let file = format!("{path}/f");
    let opened = fd::open(&file, O_RDWR, 0).unwrap();
    expect(&instance, &[(d, IN_OPEN, "f"), (f, IN_OPEN, "")]);
    opened.read(4).unwrap();
    expect(&instance, &[(d, IN_ACCESS, "f"), (f, IN_ACCESS, "")]);
    opened.write(b"more").unwrap();
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
    drop(opened);
    expect(&instance, &[(d, IN_CLOSE_WRITE, "f"), (f, IN_CLOSE_WRITE, "")]);
    drop(fd::open(&file, O_RDONLY, 0).unwrap());
    let closed = [
        (d, IN_OPEN, "f"),
        (f, IN_OPEN, ""),
        (d, IN_CLOSE_NOWRITE, "f"),
        (f, IN_CLOSE_NOWRITE, ""),
    ];
    expect(&instance, &closed);
}

#[test]
fn only_bytes_that_were_read_or_written_count() {
    let (path, instance, ..) = both("bytes");
    let file = File::options().read(true).write(true).open(format!("{path}/f")).unwrap();
    inotify::events(&instance);
    assert_eq!(file.read_at(&mut [0; 4], 100).unwrap(), 0);
    assert_eq!(fd::open("/dev/null", O_RDWR, 0).unwrap().write(b"x"), Ok(1));
    expect(&instance, &[]);
    // SAFETY: no bytes are written.
    assert_eq!(unsafe { libc::write(file.as_raw_fd(), c"x".as_ptr().cast(), 0) }, 0);
    // SAFETY: the address is none of ours.
    assert_eq!(unsafe { libc::write(file.as_raw_fd(), 8 as *const _, 1) }, -1);
    expect(&instance, &[]);
    file.read_at(&mut [0; 4], 0).unwrap();
    file.write_at(b"y", 20).unwrap();
    expect(
        &instance,
        &[(1, IN_ACCESS, "f"), (2, IN_ACCESS, ""), (1, IN_MODIFY, "f"), (2, IN_MODIFY, "")],
    );
}

#[test]
fn a_file_that_is_made_is_created_opened_written_and_closed() {
    let (path, instance, d, _) = both("made");
    fs::write(format!("{path}/new"), "text").unwrap();
    let made = [
        (d, IN_CREATE, "new"),
        (d, IN_OPEN, "new"),
        (d, IN_MODIFY, "new"),
        (d, IN_CLOSE_WRITE, "new"),
    ];
    expect(&instance, &made);
}

#[test]
fn truncation_modifies_before_the_open() {
    let (path, instance, d, f) = both("truncation");
    let file = format!("{path}/f");
    let opened = fd::open(&file, O_WRONLY | O_TRUNC | O_CREAT, 0o600).unwrap();
    expect(
        &instance,
        &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, ""), (d, IN_OPEN, "f"), (f, IN_OPEN, "")],
    );
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::ftruncate(opened.number(), 10) }, 0);
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::fallocate(opened.number(), 0, 0, 100) }, 0);
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
    let name = std::ffi::CString::new(file).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { libc::truncate(name.as_ptr(), 3) }, 0);
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
}

#[test]
fn attributes_and_times() {
    let (path, instance, d, f) = both("attributes");
    let file = format!("{path}/f");
    let attrib = [(d, IN_ATTRIB, "f"), (f, IN_ATTRIB, "")];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    expect(&instance, &attrib);
    unix::chown(&file, Some(5), None).unwrap();
    expect(&instance, &attrib);
    unix::chown(&file, None, None).unwrap();
    expect(&instance, &[]);
    let name = std::ffi::CString::new(file.clone()).unwrap();
    let set = |times: [(i64, i64); 2]| {
        let times = times.map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
        // SAFETY: the kernel only reads.
        assert_eq!(unsafe { libc::utimensat(libc::AT_FDCWD, name.as_ptr(), times.as_ptr(), 0) }, 0);
    };
    set([(1, 2), (3, 4)]);
    expect(&instance, &attrib);
    set([(1, 2), (3, libc::UTIME_OMIT)]);
    expect(&instance, &[(d, IN_ACCESS, "f"), (f, IN_ACCESS, "")]);
    set([(1, libc::UTIME_OMIT), (3, libc::UTIME_NOW)]);
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
    set([(1, libc::UTIME_OMIT), (3, libc::UTIME_OMIT)]);
    expect(&instance, &[]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    expect(&instance, &[(d, IN_ATTRIB | IN_ISDIR, "")]);
}

#[test]
fn a_removed_file_ends_before_its_name_does() {
    let (path, instance, d, f) = both("removed");
    fs::remove_file(format!("{path}/f")).unwrap();
    expect(
        &instance,
        &[(f, IN_ATTRIB, ""), (f, IN_DELETE_SELF, ""), (f, IN_IGNORED, ""), (d, IN_DELETE, "f")],
    );
    assert_eq!(inotify::remove(&instance, f), Err(pollux_tests::Errno::EINVAL));
}

#[test]
fn a_removed_file_that_is_open_ends_when_it_is_closed() {
    let (path, instance, d, f) = both("open");
    let opened = fd::open(&format!("{path}/f"), O_RDWR, 0).unwrap();
    inotify::events(&instance);
    fs::remove_file(format!("{path}/f")).unwrap();
    expect(&instance, &[(f, IN_ATTRIB, ""), (d, IN_DELETE, "f")]);
    opened.write(b"x").unwrap();
    expect(&instance, &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, "")]);
    drop(opened);
    let closed = [
        (d, IN_CLOSE_WRITE, "f"),
        (f, IN_CLOSE_WRITE, ""),
        (f, IN_DELETE_SELF, ""),
        (f, IN_IGNORED, ""),
    ];
    expect(&instance, &closed);
}

#[test]
fn names_without_a_file_behind_them_can_be_left_out() {
    let path = directory("excl");
    fs::write(format!("{path}/f"), "text").unwrap();
    let opened = fd::open(&format!("{path}/f"), O_RDWR, 0).unwrap();
    let instance = inotify::instance();
    inotify::add(&instance, &path, IN_ALL_EVENTS | IN_EXCL_UNLINK).unwrap();
    opened.write(b"x").unwrap();
    expect(&instance, &[(1, IN_MODIFY, "f")]);
    fs::remove_file(format!("{path}/f")).unwrap();
    opened.write(b"x").unwrap();
    opened.read(1).unwrap();
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::fchmod(opened.number(), 0o600) }, 0);
    drop(opened);
    expect(&instance, &[(1, IN_DELETE, "f"), (1, IN_ATTRIB, "f")]);
}

#[test]
fn links_have_names_of_their_own() {
    let (path, instance, d, f) = both("links");
    let (first, second) = (format!("{path}/f"), format!("{path}/g"));
    fs::hard_link(&first, &second).unwrap();
    expect(&instance, &[(f, IN_ATTRIB, ""), (d, IN_CREATE, "g")]);
    assert_eq!(inotify::add(&instance, &second, IN_ALL_EVENTS), Ok(f));
    let one = fd::open(&first, O_RDWR, 0).unwrap();
    let two = fd::open(&second, O_RDWR, 0).unwrap();
    expect(&instance, &[(d, IN_OPEN, "f"), (f, IN_OPEN, ""), (d, IN_OPEN, "g"), (f, IN_OPEN, "")]);
    fs::rename(&second, format!("{path}/h")).unwrap();
    expect(&instance, &[(d, IN_MOVED_FROM, "g"), (d, IN_MOVED_TO, "h"), (f, IN_MOVE_SELF, "")]);
    one.write(b"x").unwrap();
    two.write(b"y").unwrap();
    expect(
        &instance,
        &[(d, IN_MODIFY, "f"), (f, IN_MODIFY, ""), (d, IN_MODIFY, "h"), (f, IN_MODIFY, "")],
    );
    fs::remove_file(&first).unwrap();
    expect(&instance, &[(f, IN_ATTRIB, ""), (d, IN_DELETE, "f")]);
    two.write(b"z").unwrap();
    drop((one, two));
    let rest = [
        (d, IN_MODIFY, "h"),
        (f, IN_MODIFY, ""),
        (d, IN_CLOSE_WRITE, "f"),
        (f, IN_CLOSE_WRITE, ""),
        (d, IN_CLOSE_WRITE, "h"),
        (f, IN_CLOSE_WRITE, ""),
    ];
    expect(&instance, &rest);
}

#[test]
fn other_kinds_of_files_are_created_and_deleted() {
    let path = directory("kinds");
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_CREATE | IN_DELETE).unwrap();
    let at = |name: &str| format!("{path}/{name}");
    fs::create_dir(at("dir")).unwrap();
    unix::symlink("nowhere", at("link")).unwrap();
    let name = std::ffi::CString::new(at("fifo")).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    fs::remove_dir(at("dir")).unwrap();
    for name in ["link", "fifo", "socket"] {
        fs::remove_file(at(name)).unwrap();
    }
    let expected = [
        (d, IN_CREATE | IN_ISDIR, "dir"),
        (d, IN_CREATE, "link"),
        (d, IN_CREATE, "fifo"),
        (d, IN_CREATE, "socket"),
        (d, IN_DELETE | IN_ISDIR, "dir"),
        (d, IN_DELETE, "link"),
        (d, IN_DELETE, "fifo"),
        (d, IN_DELETE, "socket"),
    ];
    expect(&instance, &expected);
}

#[test]
fn a_directory_ends_like_a_file() {
    let path = directory("rmdir");
    let sub = format!("{path}/sub");
    fs::create_dir(&sub).unwrap();
    let instance = inotify::instance();
    let (d, s) = (
        inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap(),
        inotify::add(&instance, &sub, IN_ALL_EVENTS).unwrap(),
    );
    assert_eq!(fs::read_dir(&sub).unwrap().count(), 0);
    let listed = events(&instance);
    assert_eq!(listed[0], (d, IN_OPEN | IN_ISDIR, "sub".to_owned()));
    assert!(listed.contains(&(s, IN_ACCESS | IN_ISDIR, String::new())));
    assert_eq!(listed.last().unwrap(), &(s, IN_CLOSE_NOWRITE | IN_ISDIR, String::new()));
    fs::remove_dir(&sub).unwrap();
    expect(
        &instance,
        &[(s, IN_DELETE_SELF, ""), (s, IN_IGNORED, ""), (d, IN_DELETE | IN_ISDIR, "sub")],
    );
}

/// Returns the one cookie of two events.
#[track_caller]
fn cookie(from: &Event, to: &Event) -> u32 {
    assert_ne!(from.cookie, 0);
    assert_eq!(from.cookie, to.cookie);
    from.cookie
}

#[test]
fn a_rename_joins_two_events_by_a_cookie() {
    let (path, instance, d, f) = both("rename");
    let sub = format!("{path}/sub");
    fs::create_dir(&sub).unwrap();
    let s = inotify::add(&instance, &sub, IN_ALL_EVENTS).unwrap();
    inotify::events(&instance);
    fs::rename(format!("{path}/f"), format!("{sub}/g")).unwrap();
    let moved = inotify::events(&instance);
    let first = cookie(&moved[0], &moved[1]);
    let with = |event: Event, cookie| Event { cookie, ..event };
    let expected = [
        with(named(d, IN_MOVED_FROM, "f"), first),
        with(named(s, IN_MOVED_TO, "g"), first),
        own(f, IN_MOVE_SELF),
    ];
    assert_eq!(moved, expected);
    // From now on, the file's events have the new name.
    drop(fd::open(&format!("{sub}/g"), O_APPEND | O_WRONLY, 0).unwrap());
    let opened =
        [(s, IN_OPEN, "g"), (f, IN_OPEN, ""), (s, IN_CLOSE_WRITE, "g"), (f, IN_CLOSE_WRITE, "")];
    expect(&instance, &opened);
    fs::rename(&sub, format!("{path}/other")).unwrap();
    let moved = inotify::events(&instance);
    assert!(cookie(&moved[0], &moved[1]) != first);
    let masks: Vec<_> = moved.iter().map(|event| (event.watch, event.mask)).collect();
    assert_eq!(
        masks,
        [(d, IN_MOVED_FROM | IN_ISDIR), (d, IN_MOVED_TO | IN_ISDIR), (s, IN_MOVE_SELF)]
    );
}

#[test]
fn a_rename_over_a_file_ends_that_file_last() {
    let (path, instance, d, f) = both("over");
    let other = format!("{path}/other");
    fs::write(&other, "").unwrap();
    inotify::events(&instance);
    fs::rename(&other, format!("{path}/f")).unwrap();
    let expected = [
        (d, IN_MOVED_FROM, "other"),
        (d, IN_MOVED_TO, "f"),
        (f, IN_ATTRIB, ""),
        (f, IN_DELETE_SELF, ""),
        (f, IN_IGNORED, ""),
    ];
    expect(&instance, &expected);
}

#[test]
fn an_exchange_moves_both() {
    let (path, instance, d, f) = both("exchange");
    let (one, two) = (format!("{path}/f\0"), format!("{path}/sub\0"));
    fs::create_dir(&two[..two.len() - 1]).unwrap();
    let s = inotify::add(&instance, &two[..two.len() - 1], IN_ALL_EVENTS).unwrap();
    inotify::events(&instance);
    let at = libc::AT_FDCWD as usize;
    // SAFETY: the kernel only reads.
    unsafe {
        sys::call(libc::SYS_renameat2, [at, one.as_ptr().addr(), at, two.as_ptr().addr(), 2])
    }
    .unwrap();
    let moved = inotify::events(&instance);
    assert_ne!(cookie(&moved[0], &moved[1]), cookie(&moved[3], &moved[4]));
    let moved: Vec<_> = moved.iter().map(|e| (e.watch, e.mask, e.name.as_str())).collect();
    let expected = [
        (d, IN_MOVED_FROM, "f"),
        (d, IN_MOVED_TO, "sub"),
        (f, IN_MOVE_SELF, ""),
        (d, IN_MOVED_FROM | IN_ISDIR, "sub"),
        (d, IN_MOVED_TO | IN_ISDIR, "f"),
        (s, IN_MOVE_SELF, ""),
    ];
    assert_eq!(moved, expected);
}

#[test]
fn a_copy_in_the_kernel_reads_and_writes() {
    let (path, instance, d, f) = both("copy");
    let mut from = File::open(format!("{path}/f")).unwrap();
    let to = File::create(format!("{path}/to")).unwrap();
    from.read_exact(&mut [0]).unwrap();
    inotify::events(&instance);
    let copied =
        [(d, IN_MODIFY, "to"), (d, IN_ACCESS, "f"), (f, IN_ACCESS, ""), (d, IN_MODIFY, "to")];
    // SAFETY: there is no offset.
    assert_eq!(
        unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), core::ptr::null_mut(), 3) },
        3
    );
    expect(&instance, &copied);
    let null = core::ptr::null_mut();
    // SAFETY: there are no offsets.
    let more = unsafe { libc::copy_file_range(from.as_raw_fd(), null, to.as_raw_fd(), null, 3, 0) };
    assert_eq!(more, 3);
    expect(&instance, &copied);
}

#[test]
fn vectors_count_as_well() {
    let (path, instance, d, f) = both("vectors");
    let mut file = File::options().read(true).write(true).open(format!("{path}/f")).unwrap();
    inotify::events(&instance);
    file.write_vectored(&[std::io::IoSlice::new(b"a"), std::io::IoSlice::new(b"b")]).unwrap();
    file.read_vectored(&mut [std::io::IoSliceMut::new(&mut [0; 100])]).unwrap();
    // At the end of the file, too, unlike read(2).
    file.read_vectored(&mut [std::io::IoSliceMut::new(&mut [0; 100])]).unwrap();
    expect(
        &instance,
        &[
            (d, IN_MODIFY, "f"),
            (f, IN_MODIFY, ""),
            (d, IN_ACCESS, "f"),
            (f, IN_ACCESS, ""),
            (d, IN_ACCESS, "f"),
            (f, IN_ACCESS, ""),
        ],
    );
}

#[test]
fn the_same_event_twice_is_one() {
    let path = directory("same");
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let file = fd::open(&format!("{path}/f"), O_RDWR | O_CREAT, 0o600).unwrap();
    inotify::events(&instance);
    for _ in 0..3 {
        file.write(b"x").unwrap();
    }
    expect(&instance, &[(d, IN_MODIFY, "f")]);
    let other = fd::open(&format!("{path}/g"), O_RDWR | O_CREAT, 0o600).unwrap();
    inotify::events(&instance);
    file.write(b"x").unwrap();
    other.write(b"x").unwrap();
    file.write(b"x").unwrap();
    expect(&instance, &[(d, IN_MODIFY, "f"), (d, IN_MODIFY, "g"), (d, IN_MODIFY, "f")]);
}

#[test]
fn the_bytes_of_a_fifo_are_told_to_its_own_watch_only() {
    let path = directory("fifo");
    let name = std::ffi::CString::new(format!("{path}/p")).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let p = inotify::add(&instance, format!("{path}/p"), IN_ALL_EVENTS).unwrap();
    let fifo = fd::open(&format!("{path}/p"), O_RDWR, 0).unwrap();
    fifo.write(b"x").unwrap();
    fifo.read(1).unwrap();
    drop(fifo);
    let expected = [
        (d, IN_OPEN, "p"),
        (p, IN_OPEN, ""),
        (p, IN_MODIFY, ""),
        (p, IN_ACCESS, ""),
        (d, IN_CLOSE_WRITE, "p"),
        (p, IN_CLOSE_WRITE, ""),
    ];
    expect(&instance, &expected);
}

#[test]
fn a_mapping_tells_nothing() {
    let path = directory("mapping");
    let instance = inotify::instance();
    inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let file = fd::open(&format!("{path}/f"), O_RDWR | O_CREAT, 0o600).unwrap();
    file.write(b"text").unwrap();
    inotify::events(&instance);
    // SAFETY: a new mapping, written within its page.
    unsafe {
        let (prot, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        let at = libc::mmap(core::ptr::null_mut(), 4096, prot, shared, file.number(), 0);
        *at.cast::<u8>() = b'T';
        libc::munmap(at, 4096);
    }
    expect(&instance, &[]);
}

#[test]
fn a_program_is_opened_and_read_until_it_ends() {
    let path = directory("program");
    let program = format!("{path}/program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let mut child = Command::new(program).arg("--list").stdout(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    expect(
        &instance,
        &[(d, IN_OPEN, "program"), (d, IN_ACCESS, "program"), (d, IN_CLOSE_NOWRITE, "program")],
    );
}

#[test]
fn an_unmounted_file_system_ends_its_watches() {
    let path = directory("mount");
    let target = std::ffi::CString::new(path.clone()).unwrap();
    // SAFETY: the kernel only reads.
    let mounted = unsafe {
        libc::mount(c"none".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, core::ptr::null())
    };
    assert_eq!(mounted, 0);
    fs::write(format!("{path}/f"), "").unwrap();
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_OPEN).unwrap();
    let f = inotify::add(&instance, format!("{path}/f"), IN_OPEN).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { libc::umount(target.as_ptr()) }, 0);
    let mut ended = events(&instance);
    ended.sort();
    let mut expected = [
        (d, IN_UNMOUNT | IN_ISDIR, String::new()),
        (d, IN_IGNORED, String::new()),
        (f, IN_UNMOUNT, String::new()),
        (f, IN_IGNORED, String::new()),
    ];
    expected.sort();
    assert_eq!(ended, expected);
}

#[test]
fn a_path_descriptor_tells_nothing() {
    let (path, instance, ..) = both("path");
    drop(fd::open(&format!("{path}/f"), libc::O_PATH, 0).unwrap());
    expect(&instance, &[]);
}

#[test]
fn a_nameless_file_has_a_number_for_a_name() {
    let path = directory("nameless");
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_ALL_EVENTS).unwrap();
    let file = fd::open(&path, O_RDWR | libc::O_TMPFILE, 0o600).unwrap();
    file.write(b"text").unwrap();
    // SAFETY: `stat` is plain data.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::fstat(file.number(), &mut stat) }, 0);
    let name = format!("#{}", stat.st_ino);
    let link = fs::read_link(format!("/proc/self/fd/{}", file.number())).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("{path}/{name} (deleted)"));
    drop(file);
    expect(&instance, &[(d, IN_OPEN, &name), (d, IN_MODIFY, &name), (d, IN_CLOSE_WRITE, &name)]);
}

#[test]
fn what_a_child_does_is_told_as_well() {
    let path = directory("child");
    let instance = inotify::instance();
    let d = inotify::add(&instance, &path, IN_CREATE | IN_DELETE).unwrap();
    let inside = format!("{path}/f");
    child::run(|| {
        fs::write(&inside, "").unwrap();
        fs::remove_file(&inside).unwrap();
        drop(instance.dup());
    });
    expect(&instance, &[(d, IN_CREATE, "f"), (d, IN_DELETE, "f")]);
}
