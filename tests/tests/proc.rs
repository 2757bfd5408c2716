//! proc(5): the files about processes and the system.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use pollux_tests::epoll;
use pollux_tests::{Errno, Fd, child, fd, signal, socket, sys};

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the fields of a `stat` file behind the name, from field 3 on.
fn stat_fields(path: &str) -> Vec<String> {
    let stat = text(path);
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    rest.split_whitespace().map(str::to_owned).collect()
}

/// Returns the value of a line `name:\tvalue`.
fn value(path: &str, name: &str) -> String {
    let status = text(path);
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{path} has no {name}")).trim().to_owned()
}

#[test]
fn self_is_the_number_of_who_asks() {
    let own = process::id().to_string();
    assert_eq!(fs::read_link("/proc/self").unwrap(), Path::new(&own));
    child::run(|| {
        let own = process::id().to_string();
        assert_eq!(fs::read_link("/proc/self").unwrap(), Path::new(&own));
        let thread = format!("{own}/task/{own}");
        assert_eq!(fs::read_link("/proc/thread-self").unwrap(), Path::new(&thread));
    });
}

#[test]
fn the_directory_lists_processes_by_number() {
    let own = process::id().to_string();
    let names: Vec<String> = fs::read_dir("/proc")
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["1", &own, "self", "meminfo", "stat"] {
        assert!(names.iter().any(|n| n == name), "no {name}");
    }
    let numbers: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    assert!(numbers.is_sorted());
}

#[test]
fn what_is_listed_has_the_inode_that_stat_tells() {
    for directory in ["/proc/1", "/proc/self/fd", "/proc/self"] {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            // The descriptor of the directory itself is listed, and is another one for each look.
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            assert_eq!(metadata.file_type(), entry.file_type().unwrap(), "{:?}", entry.path());
        }
    }
}

#[test]
fn a_process_that_is_gone_has_no_directory() {
    let gone = child::spawn(|| ());
    let path = format!("/proc/{}", gone.pid());
    assert!(Path::new(&path).exists());
    gone.join();
    assert!(!Path::new(&path).exists());
    for bad in ["/proc/0", "/proc/01", "/proc/4294967295", "/proc/99999999999", "/proc/1x"] {
        assert!(!Path::new(bad).exists(), "{bad}");
    }
}

/// Whether the state in this `stat` is or becomes `wanted`.
fn becomes(path: &str, wanted: &str) -> bool {
    for _ in 0..1000 {
        if stat_fields(path)[0] == wanted {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    false
}

#[test]
fn stat_has_52_fields() {
    // The first thread waits for the tests' threads.
    assert!(becomes("/proc/self/stat", "S"), "{}", text("/proc/self/stat"));
    let fields = stat_fields("/proc/self/stat");
    assert_eq!(fields.len(), 50);
    assert_eq!(stat_fields("/proc/thread-self/stat")[0], "R");
    // SAFETY: these ask and change nothing.
    let (parent, group, session) = unsafe { (libc::getppid(), libc::getpgrp(), libc::getsid(0)) };
    assert_eq!(fields[1..4], [parent, group, session].map(|id| id.to_string()));
    assert!(fields[20].parse::<u64>().unwrap() > 100_000, "vsize");
    assert!(fields[21].parse::<u64>().unwrap() > 10, "rss");
    let whole = text("/proc/self/stat");
    assert!(whole.starts_with(&format!("{} (proc", process::id())), "{whole}");
}

#[test]
fn who_has_ended_is_a_zombie_until_waited_for() {
    let ended = child::spawn(|| ());
    let path = format!("/proc/{}/stat", ended.pid());
    assert!(becomes(&path, "Z"), "{}", text(&path));
    assert_eq!(value(&format!("/proc/{}/status", ended.pid()), "State"), "Z (zombie)");
}

#[test]
fn status_names_the_ids() {
    let status = "/proc/self/status";
    // The first thread waits for the tests' threads.
    assert!(becomes("/proc/self/stat", "S"), "{}", text("/proc/self/stat"));
    assert_eq!(value(status, "Pid"), process::id().to_string());
    assert_eq!(value(status, "Tgid"), process::id().to_string());
    // The first thread waits for this one, as soon as it has come to that.
    let is_asleep = || value(status, "State") == "S (sleeping)";
    assert!((0..100).any(|_| is_asleep() || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        false
    }));
    assert_eq!(value("/proc/thread-self/status", "State"), "R (running)");
    assert_eq!(value(status, "Uid"), "0\t0\t0\t0");
    assert!(value(status, "Threads").parse::<u32>().unwrap() >= 1);
    assert!(value(status, "VmRSS").ends_with(" kB"));
    assert_eq!(value(status, "SigBlk").len(), 16);
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(value(status, name), "000001ffffffffff", "{name}");
    }
    for name in ["CapInh", "CapAmb"] {
        assert_eq!(value(status, name), "0000000000000000", "{name}");
    }
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setresuid(1, 2, 3) }, 0);
        assert_eq!(value("/proc/self/status", "Uid"), "1\t2\t3\t2");
    });
    child::run(|| {
        assert_eq!(value("/proc/self/status", "Threads"), "1");
    });
}

#[test]
fn comm_is_what_prctl_set() {
    child::run(|| {
        // SAFETY: the name ends in a zero byte.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"a (name)".as_ptr()) };
        assert_eq!(text("/proc/self/comm"), "a (name)\n");
        assert!(text("/proc/self/stat").contains(" (a (name)) R "));
    });
}

#[test]
fn cmdline_is_the_arguments_each_with_a_zero() {
    let arguments: Vec<u8> =
        std::env::args().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect();
    assert_eq!(fs::read("/proc/self/cmdline").unwrap(), arguments);
    child::run(|| assert!(!fs::read("/proc/self/cmdline").unwrap().is_empty()));
}

#[test]
fn exe_cwd_and_root_are_links() {
    child::run(|| {
        std::env::set_current_dir("/tmp").unwrap();
        assert_eq!(fs::read_link("/proc/self/cwd").unwrap(), Path::new("/tmp"));
        assert_eq!(fs::read_link("/proc/self/root").unwrap(), Path::new("/"));
        let exe = fs::read_link("/proc/self/exe").unwrap();
        let own = fs::metadata(exe).unwrap();
        assert_eq!(fs::metadata("/proc/self/exe").unwrap().ino(), own.ino());
        fs::write("/tmp/proc-through-cwd", "x").unwrap();
        assert_eq!(text("/proc/self/cwd/proc-through-cwd"), "x");
    });
}

#[test]
fn the_working_directory_may_be_in_proc() {
    child::run(|| {
        let own = process::id();
        std::env::set_current_dir("/proc/self/fd").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), PathBuf::from(format!("/proc/{own}/fd")));
        std::env::set_current_dir("..").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), PathBuf::from(format!("/proc/{own}")));
        std::env::set_current_dir("..").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), PathBuf::from("/proc"));
    });
}

#[test]
fn fd_names_what_is_open_even_after_it_was_renamed_or_removed() {
    let file = fs::File::create("/tmp/proc-fd").unwrap();
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/tmp/proc-fd"));
    fs::rename("/tmp/proc-fd", "/tmp/proc-fd-2").unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/tmp/proc-fd-2"));
    fs::write(&link, "through the link").unwrap();
    assert_eq!(text("/tmp/proc-fd-2"), "through the link");
    fs::remove_file("/tmp/proc-fd-2").unwrap();
    assert_eq!(text(&link), "through the link");
    assert!(fs::read_link(&link).unwrap().to_str().unwrap().ends_with(" (deleted)"));
}

#[test]
fn fd_names_pipes_and_sockets_by_their_inode() {
    let (reader, writer) = fd::pipe();
    let name = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    let pipe = name(reader.number());
    assert!(pipe.to_str().unwrap().starts_with("pipe:["), "{pipe:?}");
    assert_eq!(pipe, name(writer.number()));
    assert!(fs::read_link("/proc/self/fd/999").is_err());
}

/// Returns the link in `/proc/self/fd` of an open file.
fn link(fd: &Fd) -> String {
    let link = fs::read_link(format!("/proc/self/fd/{}", fd.number())).unwrap();
    link.into_os_string().into_string().unwrap()
}

/// Calls for a descriptor.
fn make<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Fd {
    // SAFETY: the kernel reads what callers own, and writes nothing.
    Fd::from_number(unsafe { sys::call(number, arguments) }.unwrap() as i32)
}

#[test]
fn fd_names_anonymous_inodes_by_their_class() {
    let mask = signal::mask(&[libc::SIGUSR1]);
    let signals = make(libc::SYS_signalfd4, [usize::MAX, &raw const mask as usize, 8, 0]);
    let timer = make(libc::SYS_timerfd_create, [libc::CLOCK_MONOTONIC as usize, 0]);
    let process = make(libc::SYS_pidfd_open, [process::id() as usize, 0]);
    let named = [
        (epoll::create1(0).unwrap(), "eventpoll"),
        (fd::eventfd(0, 0).unwrap(), "eventfd"),
        (timer, "timerfd"),
        (signals, "signalfd"),
        (process, "pidfd"),
    ];
    for (fd, name) in named {
        assert_eq!(link(&fd), format!("anon_inode:[{name}]"));
    }
}

#[test]
fn fd_names_each_kind_of_socket_by_its_inode() {
    let netlink = socket::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).unwrap();
    let local = socket::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap();
    for socket in [socket::tcp(0), socket::udp(0), local, netlink] {
        let text = link(&socket);
        // SAFETY: the number is nobody else's.
        let socket = unsafe { fs::File::from_raw_fd(socket.into_number()) };
        assert_eq!(text, format!("socket:[{}]", socket.metadata().unwrap().ino()));
    }
}

#[test]
fn fd_names_devices_and_fifos_by_their_path() {
    let path = "/tmp/proc-fd-fifo";
    let _ = fs::remove_file(path);
    let name = std::ffi::CString::new(path).unwrap();
    // SAFETY: the path is ours.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    for path in [path, "/dev/null", "/dev/zero"] {
        assert_eq!(link(&fd::open(path, libc::O_RDWR, 0).unwrap()), path);
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn maps_shows_the_program_the_heap_and_the_stack() {
    let maps = text("/proc/self/maps");
    let exe = fs::read_link("/proc/self/exe").unwrap();
    let of_program = maps.lines().find(|line| line.ends_with(exe.to_str().unwrap())).expect(&maps);
    let fields: Vec<&str> = of_program.split_whitespace().collect();
    assert_eq!(fields.len(), 6);
    assert_eq!(fields[4], fs::metadata("/proc/self/exe").unwrap().ino().to_string());
    assert!(maps.contains("[stack]") && maps.contains("[heap]"), "{maps}");
    let code = maps_is_text as *const () as usize;
    let range = |line: &&str| {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |digits| usize::from_str_radix(digits, 16).unwrap();
        (number(start)..number(end)).contains(&code)
    };
    let line = maps.lines().find(range).expect("the code is mapped");
    assert!(line.contains(" r-xp "), "{line}");
}

fn maps_is_text() {}

#[test]
fn statm_counts_pages() {
    let numbers: Vec<u64> =
        text("/proc/self/statm").split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 7);
    assert!(numbers[0] > numbers[1] && numbers[1] > 0, "{numbers:?}");
}

#[test]
fn limits_has_a_line_for_each() {
    child::run(|| {
        pollux_tests::limit::lower(libc::RLIMIT_NOFILE, 100);
        let limits = text("/proc/self/limits");
        assert_eq!(limits.lines().count(), 17);
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(files.split_whitespace().nth(3), Some("100"));
        assert!(files.trim_end().ends_with("files"));
    });
}

#[test]
fn each_thread_has_a_directory() {
    child::run(|| {
        std::thread::spawn(|| {
            let threads: Vec<_> = fs::read_dir("/proc/self/task").unwrap().collect();
            assert_eq!(threads.len(), 2);
            // SAFETY: asks only.
            let tid = unsafe { libc::gettid() };
            assert_eq!(value("/proc/thread-self/status", "Pid"), tid.to_string());
            assert_eq!(value("/proc/thread-self/status", "Tgid"), process::id().to_string());
        })
        .join()
        .unwrap();
    });
}

#[test]
fn nothing_can_be_made_in_it() {
    let made = fd::open("/proc/self/new", libc::O_CREAT | libc::O_WRONLY, 0o644);
    assert_eq!(made.err(), Some(Errno(libc::ENOENT)));
    assert!(fs::create_dir("/proc/self/new").is_err());
    assert!(fs::remove_dir("/proc/self/task").is_err());
}

#[test]
fn the_system_tells_of_itself() {
    let stat = text("/proc/stat");
    for start in ["cpu  ", "cpu0 ", "btime ", "processes ", "procs_running ", "ctxt "] {
        assert!(stat.lines().any(|line| line.starts_with(start)), "no {start}in {stat}");
    }
    assert!(stat.lines().next().unwrap().split_whitespace().count() >= 8);
    assert_eq!(text("/proc/loadavg").split_whitespace().count(), 5);
    assert!(text("/proc/version").starts_with("Linux version "));
    for name in ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "Shmem", "SwapTotal"] {
        assert!(value("/proc/meminfo", name).ends_with(" kB"));
    }
    assert!(text("/proc/self/mounts").contains(" / "));
    assert_eq!(fs::read_link("/proc/mounts").unwrap(), Path::new("self/mounts"));
}

#[test]
fn the_names_of_uname_are_in_sys_kernel() {
    assert_eq!(text("/proc/sys/kernel/ostype"), "Linux\n");
    for name in ["osrelease", "hostname", "version", "pid_max", "threads-max", "random/boot_id"] {
        assert!(text(&format!("/proc/sys/kernel/{name}")).len() > 1, "{name}");
    }
    assert_eq!(text("/proc/sys/net/core/somaxconn"), "4096\n");
    for name in ["fs/file-max", "fs/nr_open", "fs/pipe-max-size", "vm/overcommit_memory"] {
        text(&format!("/proc/sys/{name}")).trim().parse::<u64>().unwrap();
    }
}
