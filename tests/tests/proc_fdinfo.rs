//! proc(5): `/proc/PID/fdinfo/N`, what is known of an open file.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::Duration;

use libc::{EPOLLET, EPOLLIN, EPOLLOUT, O_APPEND, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR};
use pollux_tests::epoll::Epoll;
use pollux_tests::{Fd, fd, sys};

/// Returns the lines for a descriptor.
fn lines(number: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Returns the value behind `key:`.
#[track_caller]
fn value(number: i32, key: &str) -> String {
    let lines = lines(number);
    let found = lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {key} in {lines:?}")).trim().to_owned()
}

fn made(number: usize) -> Fd {
    Fd::from_number(number as i32)
}

#[test]
fn the_directory_lists_what_is_open() {
    let (reader, writer) = fd::pipe();
    let names: Vec<String> = fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for fd in [&reader, &writer] {
        assert!(names.contains(&fd.number().to_string()));
    }
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode("/proc/self/fdinfo"), 0o40555);
    assert_eq!(mode(&format!("/proc/self/fdinfo/{}", reader.number())), 0o100444);
    assert!(fs::read("/proc/self/fdinfo/999").is_err());
}

#[test]
fn every_file_has_four_lines() {
    let path = "/tmp/fdinfo-file";
    fs::write(path, "some text").unwrap();
    let file = fd::open(path, O_RDWR | O_APPEND | O_CLOEXEC, 0).unwrap();
    file.read(4).unwrap();
    let inode = fs::metadata(path).unwrap().ino();
    let keys: Vec<String> = lines(file.number())
        .iter()
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(keys, ["pos", "flags", "mnt_id", "ino"]);
    assert_eq!(value(file.number(), "pos"), "4");
    assert_eq!(value(file.number(), "ino"), inode.to_string());
    assert_eq!(lines(file.number())[0], "pos:\t4");
    // O_LARGEFILE is set by the kernel.
    assert_eq!(value(file.number(), "flags"), "02102002");
    file.fcntl(libc::F_SETFD, 0).unwrap();
    file.set_flags(O_NONBLOCK).unwrap();
    assert_eq!(value(file.number(), "flags"), "0104002");
}

#[test]
fn a_pipe_has_flags_and_an_inode() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    assert_eq!(value(reader.number(), "flags"), "04000");
    assert_eq!(value(writer.number(), "flags"), "04001");
    let link = fs::read_link(format!("/proc/self/fd/{}", reader.number())).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("pipe:[{}]", value(reader.number(), "ino")));
    assert_eq!(lines(reader.number()).len(), 4);
}

#[test]
fn an_eventfd_shows_its_count_in_hexadecimal() {
    let event = fd::eventfd(0x2a, 0).unwrap();
    let lines = lines(event.number());
    assert_eq!(lines[4], format!("eventfd-count: {:16x}", 0x2a));
    assert!(lines[5].starts_with("eventfd-id: "), "{lines:?}");
    assert_eq!(lines.len(), 6);
    event.write_u64(1).unwrap();
    assert_eq!(value(event.number(), "eventfd-count"), "2b");
}

#[test]
fn an_epoll_shows_its_items() {
    let (reader, writer) = fd::pipe();
    let event = fd::eventfd(0, 0).unwrap();
    let epoll = Epoll::new();
    epoll.add(&reader, (EPOLLIN | EPOLLET) as u32, 0x1234_5678_9abc).unwrap();
    epoll.add(&writer, EPOLLOUT as u32, 7).unwrap();
    epoll.add(&event, EPOLLIN as u32, u64::MAX).unwrap();
    let found = lines(epoll.number());
    let items: Vec<&String> = found.iter().filter(|line| line.starts_with("tfd:")).collect();
    assert_eq!(items.len(), 3, "{found:?}");
    let inode: u64 = value(reader.number(), "ino").parse().unwrap();
    let start = format!(
        "tfd: {:8} events: {:8x} data: {:16x}  pos:0 ino:{inode:x} sdev:",
        reader.number(),
        0x8000_0019_u32,
        0x1234_5678_9abc_u64
    );
    assert!(items.iter().any(|line| line.starts_with(&start)), "{start} in {found:?}");
    epoll.delete(&reader).unwrap();
    assert_eq!(lines(epoll.number()).iter().filter(|line| line.starts_with("tfd:")).count(), 2);
}

#[test]
fn a_signalfd_shows_its_signals() {
    let mask = 1_u64 << (libc::SIGUSR1 - 1) | 1 << (libc::SIGTERM - 1);
    let arguments = [usize::MAX, (&raw const mask).addr(), 8, 0];
    // SAFETY: the kernel only reads.
    let signals = made(unsafe { sys::call(libc::SYS_signalfd4, arguments) }.unwrap());
    assert_eq!(lines(signals.number())[4..], [format!("sigmask:\t{mask:016x}")]);
}

#[test]
fn a_timerfd_shows_its_clock_and_setting() {
    // SAFETY: no memory is involved.
    let timer = made(
        unsafe { sys::call(libc::SYS_timerfd_create, [libc::CLOCK_MONOTONIC as usize, 0]) }
            .unwrap(),
    );
    let disarmed =
        ["clockid: 1", "ticks: 0", "settime flags: 00", "it_value: (0, 0)", "it_interval: (0, 0)"];
    assert_eq!(lines(timer.number())[4..], disarmed);
    let set = |flags: usize, [value, interval]: [Duration; 2]| {
        let spec = [interval, value].map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]);
        let arguments = [timer.number() as usize, flags, spec.as_ptr().addr(), 0];
        // SAFETY: the kernel only reads.
        unsafe { sys::call(libc::SYS_timerfd_settime, arguments) }.unwrap();
    };
    set(0, [Duration::from_secs(1000), Duration::from_millis(2500)]);
    let armed = lines(timer.number());
    assert!(armed[7].starts_with("it_value: (999, "), "{armed:?}");
    assert_eq!(armed[8], "it_interval: (2, 500000000)");
    set(1, [Duration::from_nanos(1), Duration::ZERO]);
    let due = lines(timer.number());
    assert_eq!(due[5..7], ["ticks: 1", "settime flags: 01"]);
    assert_eq!(due[8], "it_interval: (0, 0)");
    // SAFETY: no memory is involved.
    let real = made(
        unsafe { sys::call(libc::SYS_timerfd_create, [libc::CLOCK_REALTIME as usize, 0]) }.unwrap(),
    );
    assert_eq!(value(real.number(), "clockid"), "0");
    // SAFETY: no memory is involved.
    let boot = made(
        unsafe { sys::call(libc::SYS_timerfd_create, [libc::CLOCK_BOOTTIME as usize, 0]) }.unwrap(),
    );
    assert_eq!(value(boot.number(), "clockid"), "7");
}

#[test]
fn a_pidfd_shows_its_process() {
    let pid = std::process::id();
    // SAFETY: no memory is involved.
    let process = made(unsafe { sys::call(libc::SYS_pidfd_open, [pid as usize, 0]) }.unwrap());
    assert_eq!(lines(process.number())[4..], [format!("Pid:\t{pid}"), format!("NSpid:\t{pid}")]);
}

#[test]
fn a_locked_file_shows_its_lock() {
    let path = "/tmp/fdinfo-lock";
    fs::write(path, "text").unwrap();
    let file = fd::open(path, O_RDONLY, 0).unwrap();
    assert_eq!(lines(file.number()).len(), 4);
    assert_eq!(std::fs::File::open(path).unwrap().read_at(&mut [0; 4], 0).unwrap(), 4);
    assert_eq!(value(file.number(), "pos"), "0");
}
