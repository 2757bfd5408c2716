//! proc(5): `/proc/PID/fd/N` as a name of an open file: opened again, examined, changed; and paths that are gone.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use libc::{
    O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::{Errno, Fd, child, fd, inotify, sys};

/// Returns the name of a descriptor.
fn name(number: i32) -> String {
    format!("/proc/self/fd/{number}")
}

/// Opens a descriptor's file by its name.
fn again(number: i32, flags: i32) -> Result<Fd, Errno> {
    fd::open(&name(number), flags, 0)
}

/// Returns what the name of a descriptor leads to.
fn link(number: i32) -> String {
    fs::read_link(name(number)).unwrap().to_str().unwrap().to_owned()
}

fn status(fd: &Fd) -> libc::stat {
    // SAFETY: plain data.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::fstat(fd.number(), &mut status) }, 0);
    status
}

/// Calls access(2).
fn access(path: &str, mode: i32) -> Result<usize, Errno> {
    let path = CString::new(path).unwrap();
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_access, [path.as_ptr().addr(), mode as usize]) }
}

#[test]
fn a_pipe_is_opened_again_by_either_end() {
    let (reader, writer) = fd::pipe();
    let second = again(writer.number(), O_WRONLY).unwrap();
    let other = again(reader.number(), O_WRONLY | O_NONBLOCK).unwrap();
    assert_eq!((second.write(b"ab"), other.write(b"cd")), (Ok(2), Ok(2)));
    let early = again(other.number(), O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!(early.read(3).unwrap(), b"abc");
    assert_eq!(reader.read(3).unwrap(), b"d");
    // Each has flags of its own.
    assert_eq!(reader.fcntl(libc::F_GETFL, 0).unwrap() & O_NONBLOCK, 0);
    assert_eq!(early.read(1), Err(Errno::EAGAIN));
    drop((writer, second));
    assert_eq!(early.read(1), Err(Errno::EAGAIN));
    drop(other);
    assert_eq!(early.read(1).unwrap(), b"");
    // Opened without a reader or a writer, a pipe does not wait, unlike a FIFO.
    let both = again(early.number(), O_RDWR).unwrap();
    drop((early, reader));
    let writer = again(both.number(), O_WRONLY).unwrap();
    drop(both);
    assert_eq!(link(writer.number()), format!("pipe:[{}]", status(&writer).st_ino));
    let nonblocking = again(writer.number(), O_WRONLY | O_NONBLOCK).unwrap();
    let reader = again(nonblocking.number(), O_RDONLY).unwrap();
    drop(writer);
    assert_eq!(nonblocking.write(b"x"), Ok(1));
    assert_eq!(reader.read(2).unwrap(), b"x");
}

#[test]
fn a_name_does_not_keep_an_end_open() {
    let (reader, writer) = fd::pipe();
    let path = again(writer.number(), O_PATH).unwrap();
    assert_eq!(path.write(b"x"), Err(Errno::EBADF));
    assert_eq!(status(&path).st_ino, status(&writer).st_ino);
    drop(writer);
    assert_eq!(reader.read(1).unwrap(), b"");
    // The path still leads to the pipe.
    let writer = again(path.number(), O_WRONLY).unwrap();
    assert_eq!(writer.write(b"y"), Ok(1));
    assert_eq!(reader.read(1).unwrap(), b"y");
}

#[test]
fn other_files_without_a_name_have_no_opening() {
    let (one, other) = UnixStream::pair().unwrap();
    let event = fd::eventfd(0, 0).unwrap();
    let epoll = Epoll::new();
    let instance = inotify::instance();
    for number in
        [one.as_raw_fd(), other.as_raw_fd(), event.number(), epoll.number(), instance.number()]
    {
        for flags in [O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_TRUNC, O_RDWR | O_CREAT] {
            assert_eq!(again(number, flags).map(drop), Err(Errno::ENXIO));
        }
        assert_eq!(again(number, O_RDONLY | O_NOFOLLOW).map(drop), Err(Errno::ELOOP));
        assert_eq!(again(number, O_RDONLY | O_DIRECTORY).map(drop), Err(Errno::ENOTDIR));
        drop(again(number, O_PATH).unwrap());
    }
    assert!(link(one.as_raw_fd()).starts_with("socket:["));
    assert_eq!(link(event.number()), "anon_inode:[eventfd]");
    assert_eq!(link(epoll.number()), "anon_inode:[eventpoll]");
}

#[test]
fn a_name_is_examined_as_the_file_is() {
    let (reader, _writer) = fd::pipe();
    let (socket, _other) = UnixStream::pair().unwrap();
    let event = fd::eventfd(0, 0).unwrap();
    let kinds = [
        (reader.number(), libc::S_IFIFO),
        (socket.as_raw_fd(), libc::S_IFSOCK),
        (event.number(), 0),
    ];
    for (number, kind) in kinds {
        let by_name = fs::metadata(name(number)).unwrap();
        // SAFETY: plain data.
        let mut by_number: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: the structure is ours.
        assert_eq!(unsafe { libc::fstat(number, &mut by_number) }, 0);
        assert_eq!(by_name.mode() & libc::S_IFMT, kind);
        assert_eq!(by_name.mode(), by_number.st_mode);
        assert_eq!((by_name.dev(), by_name.ino()), (by_number.st_dev, by_number.st_ino));
        assert_eq!((by_name.nlink(), by_name.size()), (1, 0));
        assert!(fs::symlink_metadata(name(number)).unwrap().file_type().is_symlink());
        assert_eq!(access(&name(number), libc::R_OK | libc::W_OK), Ok(0));
        assert!(fs::read_dir(name(number)).is_err());
        assert_eq!(
            fs::metadata(format!("{}/x", name(number))).unwrap_err().raw_os_error(),
            Some(libc::ENOTDIR)
        );
    }
    assert!(fs::metadata(name(reader.number())).unwrap().file_type().is_fifo());
    assert_eq!(access(&name(999), libc::F_OK), Err(Errno::ENOENT));
}

#[test]
fn the_mode_of_a_pipe_can_be_changed() {
    let (reader, _writer) = fd::pipe();
    fs::set_permissions(name(reader.number()), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(status(&reader).st_mode & 0o777, 0o640);
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::fchmod(reader.number(), 0o604) }, 0);
    assert_eq!(fs::metadata(name(reader.number())).unwrap().mode() & 0o777, 0o604);
}

#[test]
fn the_link_of_a_descriptor_shows_its_access() {
    let (reader, writer) = fd::pipe();
    let mode = |fd: &Fd| fs::symlink_metadata(name(fd.number())).unwrap().mode() & 0o777;
    assert_eq!((mode(&reader), mode(&writer)), (0o500, 0o300));
    assert_eq!(mode(&fd::open("/dev/null", O_RDWR, 0).unwrap()), 0o700);
    assert_eq!(mode(&fd::open("/dev/null", O_PATH, 0).unwrap()), 0);
}

#[test]
fn a_fifo_keeps_its_manners() {
    let path = "/tmp/proc-fd-fifo";
    let _ = fs::remove_file(path);
    let fifo = CString::new(path).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    let reader = fd::open(path, O_RDONLY | O_NONBLOCK, 0).unwrap();
    assert_eq!(link(reader.number()), path);
    fs::remove_file(path).unwrap();
    assert_eq!(link(reader.number()), format!("{path} (deleted)"));
    let writer = again(reader.number(), O_WRONLY | O_NONBLOCK).unwrap();
    assert_eq!(writer.write(b"x"), Ok(1));
    assert_eq!(reader.read(2).unwrap(), b"x");
    let path = again(reader.number(), O_PATH).unwrap();
    drop(reader);
    drop(writer);
    assert_eq!(again(path.number(), O_WRONLY | O_NONBLOCK).map(drop), Err(Errno::ENXIO));
}

/// Makes an empty directory.
fn directory(name: &str) -> String {
    let path = format!("/tmp/proc-fd-{name}");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

#[test]
fn a_file_is_called_by_the_name_that_it_was_opened_by() {
    let path = directory("names");
    let (one, two) = (format!("{path}/one"), format!("{path}/two"));
    fs::write(&one, "text").unwrap();
    fs::hard_link(&one, &two).unwrap();
    let (first, second) = (File::open(&one).unwrap(), File::open(&two).unwrap());
    let links = || (link(first.as_raw_fd()), link(second.as_raw_fd()));
    assert_eq!(links(), (one.clone(), two.clone()));
    fs::rename(&two, format!("{path}/three")).unwrap();
    assert_eq!(links(), (one.clone(), format!("{path}/three")));
    fs::remove_file(&one).unwrap();
    assert_eq!(links(), (format!("{one} (deleted)"), format!("{path}/three")));
    fs::rename(&path, format!("{path}-moved")).unwrap();
    assert_eq!(links(), (format!("{path}-moved/one (deleted)"), format!("{path}-moved/three")));
    fs::remove_dir_all(format!("{path}-moved")).unwrap();
    assert_eq!(links().1, format!("{path}-moved/three (deleted)"));
    // By its name it still is the file.
    let again = again(first.as_raw_fd(), O_RDONLY).unwrap();
    assert_eq!(again.read(10).unwrap(), b"text");
    assert_eq!(link(again.number()), format!("{path}-moved/one (deleted)"));
}

#[test]
fn a_removed_directory_is_marked() {
    let path = directory("removed");
    let inner = format!("{path}/inner");
    fs::create_dir(&inner).unwrap();
    let opened = fd::open(&inner, O_RDONLY | O_DIRECTORY, 0).unwrap();
    child::run(|| {
        std::env::set_current_dir(&inner).unwrap();
        assert_eq!(fs::read_link("/proc/self/cwd").unwrap(), Path::new(&inner));
        fs::remove_dir(&inner).unwrap();
        let marked = format!("{inner} (deleted)");
        assert_eq!(fs::read_link("/proc/self/cwd").unwrap(), Path::new(&marked));
        assert_eq!(link(opened.number()), marked);
        fs::remove_dir(&path).unwrap();
        assert_eq!(link(opened.number()), marked);
        assert_eq!(std::env::current_dir().unwrap_err().raw_os_error(), Some(libc::ENOENT));
    });
}

#[test]
fn a_running_program_that_was_removed_is_marked() {
    let path = directory("program");
    let program = format!("{path}/program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(&program)
        .args(["--ignored", "--exact", "waits_for_its_input"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let exe = format!("/proc/{}/exe", child.id());
    // execve(2) has happened when spawn returns.
    assert_eq!(fs::read_link(&exe).unwrap(), Path::new(&program));
    fs::remove_file(&program).unwrap();
    let marked = format!("{program} (deleted)");
    assert_eq!(fs::read_link(&exe).unwrap(), Path::new(&marked));
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
    assert!(maps.lines().any(|line| line.ends_with(&marked)), "{maps}");
    assert_eq!(fs::read(&exe).unwrap().len() as u64, fs::metadata(&exe).unwrap().len());
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
#[ignore = "the program that another test runs"]
fn waits_for_its_input() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_memory_file_is_called_by_its_name_and_marked() {
    // SAFETY: the kernel only reads.
    let made =
        unsafe { sys::call(libc::SYS_memfd_create, [c"some name".as_ptr().addr(), 0]) }.unwrap();
    let file = Fd::from_number(made as i32);
    file.write(b"text").unwrap();
    assert_eq!(link(file.number()), "/memfd:some name (deleted)");
    let again = again(file.number(), O_RDONLY).unwrap();
    assert_eq!(again.read(10).unwrap(), b"text");
    assert_eq!(again.write(b"x"), Err(Errno::EBADF));
}

/// Runs `work` with the standard streams replaced: 0 reads `input`, 1 writes to the returned bytes.
fn through_streams(input: &[u8], work: impl FnOnce()) -> Vec<u8> {
    let (from, input_end) = fd::pipe();
    let (output_end, to) = fd::pipe();
    input_end.write(input).unwrap();
    drop(input_end);
    let child = child::spawn(|| {
        fd::dup2(from.number(), 0).unwrap();
        fd::dup2(to.number(), 1).unwrap();
        fd::dup2(to.number(), 2).unwrap();
        work();
    });
    drop((from, to));
    child.join();
    output_end.read(1000).unwrap()
}

#[test]
fn the_standard_streams_have_names() {
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        let link = fs::read_link(format!("/dev/{name}")).unwrap();
        assert_eq!(link, Path::new(&format!("/proc/self/fd{target}")));
    }
    let output = through_streams(b"in", || {
        let input = fs::read("/dev/stdin").unwrap();
        fs::write("/dev/stdout", input).unwrap();
        fs::write("/dev/stderr", "err").unwrap();
        fs::write("/dev/fd/1", "fd").unwrap();
        assert!(fs::metadata("/dev/stdin").unwrap().file_type().is_fifo());
    });
    assert_eq!(output, b"inerrfd");
}

#[test]
fn a_pipe_opened_by_name_is_waited_for_like_any_other() {
    let (reader, writer) = fd::pipe();
    let path = name(reader.number());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| fs::read(&path).unwrap());
        writer.write(b"late").unwrap();
        drop(writer);
        assert_eq!(waiting.join().unwrap(), b"late");
    });
}
