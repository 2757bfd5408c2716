//! Checks the kernel after the victims are gone.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use pollux_tests::{child, fd};

/// Returns `MemFree` of /proc/meminfo, in bytes.
pub(crate) fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:")).expect("MemFree");
    let number = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    number << 10
}

/// Returns how much less memory is free than `before`. Waits a while if it exceeds `kept`: some memory is freed late.
pub(crate) fn loss(before: u64, kept: u64) -> u64 {
    let mut lost = u64::MAX;
    for _ in 0..100 {
        lost = before.saturating_sub(free_memory());
        if lost <= kept {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    lost
}

/// Tries a little of everything: a process, a pipe, a file, a connection, a thread.
pub(crate) fn sanity() {
    let (reader, writer) = fd::pipe();
    child::run(|| assert_eq!(writer.write(b"alive"), Ok(5)));
    assert_eq!(reader.read(5).expect("a pipe"), b"alive");
    fs::write("/tmp/alive", b"alive").expect("a file");
    assert_eq!(fs::read("/tmp/alive").expect("a file"), b"alive");
    fs::remove_file("/tmp/alive").expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).expect("five bytes");
        bytes
    });
    TcpStream::connect(address)
        .and_then(|mut stream| stream.write_all(b"alive"))
        .expect("a connection");
    assert_eq!(&server.join().expect("a thread"), b"alive");
}
