//! A client of memcached: sends requests and checks the answers.
//!
//! Source: memcached's protocol.txt, the text protocol.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Errand, SIZES, bytes, crowd};
use crate::visit;

/// The number of clients with timed requests.
const VISITORS: u32 = 50;

/// The visits to the server.
pub(super) const ERRANDS: [Errand; 5] = [
    ("values of all sizes, on each of its threads", |port| {
        crowd(8, |visitor| {
            let mut memcached = Memcached::begin(port)?;
            for (size, number) in SIZES.into_iter().zip(0..) {
                let (key, value) = (format!("{visitor}:{size}"), bytes(size, visitor + number));
                memcached.expect_store("set", &key, &value, "STORED")?;
                memcached.expect_value(&key, Some(&value))?;
            }
            Ok(())
        })
    }),
    ("many keys, told to all", |port| {
        crowd(4, |visitor| {
            let mut memcached = Memcached::begin(port)?;
            (0..1000).try_for_each(|key| {
                memcached.expect_store("set", &format!("{visitor}-{key}"), &bytes(key, visitor), "STORED")
            })
        })?;
        let mut memcached = Memcached::begin(port)?;
        (0..4000).rev().step_by(7).try_for_each(|number| {
            let (visitor, key) = (number / 1000, number as usize % 1000);
            memcached.expect_value(&format!("{visitor}-{key}"), Some(&bytes(key, visitor)))
        })
    }),
    ("what each verb does", |port| {
        let mut memcached = Memcached::begin(port)?;
        memcached.expect_store("replace", "verb", b"0", "NOT_STORED")?;
        memcached.expect_store("add", "verb", b"10", "STORED")?;
        memcached.expect_store("add", "verb", b"11", "NOT_STORED")?;
        memcached.expect("incr verb 32", "42")?;
        // The answer is short, but the stored value keeps its width.
        memcached.expect("decr verb 50", "0")?;
        memcached.expect_store("append", "verb", b"1", "STORED")?;
        memcached.expect_store("prepend", "verb", b"2", "STORED")?;
        memcached.expect_value("verb", Some(b"20 1"))?;
        memcached.expect("delete verb", "DELETED")?;
        memcached.expect("delete verb", "NOT_FOUND")?;
        memcached.expect("incr verb 1", "NOT_FOUND")?;
        memcached.expect_value("verb", None)
    }),
    ("all count together", |port| {
        Memcached::begin(port)?.expect_store("set", "sum", b"0", "STORED")?;
        crowd(8, |_| {
            let mut memcached = Memcached::begin(port)?;
            (0..200).try_for_each(|_| memcached.line("incr sum 1").map(drop))
        })?;
        Memcached::begin(port)?.expect("incr sum 0", "1600")
    }),
    ("a value ends with its time", |port| {
        let mut memcached = Memcached::begin(port)?;
        memcached.store("set", "short", "1", b"x")?;
        memcached.expect_value("short", Some(b"x"))?;
        // Memcached's clock counts whole seconds.
        thread::sleep(Duration::from_millis(2500));
        memcached.expect_value("short", None)
    }),
];

/// Measures the requests per second of several clients at once.
pub(super) fn rate(port: u16, requests: u32) -> Result<Vec<(String, f64)>> {
    let each = requests.div_ceil(VISITORS);
    let timed = |visit: &(dyn Fn(&mut Memcached, u32) -> Result<()> + Sync)| -> Result<f64> {
        let started = Instant::now();
        crowd(VISITORS, |visitor| {
            let mut memcached = Memcached::begin(port)?;
            (0..each).try_for_each(|_| visit(&mut memcached, visitor))
        })?;
        Ok(f64::from(each * VISITORS) / started.elapsed().as_secs_f64())
    };
    let set = timed(&|memcached, visitor| {
        memcached.expect_store("set", &format!("rate{visitor}"), &bytes(100, visitor), "STORED")
    })?;
    let get = timed(&|memcached, visitor| {
        memcached.expect_value(&format!("rate{visitor}"), Some(&bytes(100, visitor)))
    })?;
    Ok(vec![("set".to_owned(), set), ("get".to_owned(), get)])
}

/// A connection to the server.
struct Memcached {
    stream: BufReader<TcpStream>,
}

impl Memcached {
    /// Connects to the server behind this port of the host.
    fn begin(port: u16) -> Result<Self> {
        visit::connect(port).map(|stream| Self { stream })
    }

    /// Sends a request of one line and reads the first line of the answer.
    fn line(&mut self, request: &str) -> Result<String> {
        self.send(format!("{request}\r\n").as_bytes())?;
        self.read_line()
    }

    fn expect(&mut self, request: &str, wanted: &str) -> Result<()> {
        let seen = self.line(request)?;
        ensure!(seen == wanted, "{request}: {seen} and not {wanted}");
        Ok(())
    }

    /// Stores a value that expires after some seconds.
    fn store(&mut self, verb: &str, key: &str, seconds: &str, value: &[u8]) -> Result<String> {
        let head = format!("{verb} {key} 0 {seconds} {}\r\n", value.len());
        self.send(&[head.as_bytes(), value, b"\r\n"].concat())?;
        self.read_line()
    }

    fn expect_store(&mut self, verb: &str, key: &str, value: &[u8], wanted: &str) -> Result<()> {
        let seen = self.store(verb, key, "0", value)?;
        ensure!(seen == wanted, "{verb} {key}: {seen} and not {wanted}");
        Ok(())
    }

    /// Requests a value, and fails unless it is as expected (`None`: not there).
    fn expect_value(&mut self, key: &str, wanted: Option<&[u8]>) -> Result<()> {
        let head = self.line(&format!("get {key}"))?;
        let Some(wanted) = wanted else {
            ensure!(head == "END", "get {key}: {head} and not the end");
            return Ok(());
        };
        ensure!(head == format!("VALUE {key} 0 {}", wanted.len()), "get {key}: {head}");
        let mut value = vec![0; wanted.len() + "\r\nEND\r\n".len()];
        self.stream.read_exact(&mut value).with_context(|| format!("get {key}: it ends early"))?;
        ensure!(value == [wanted, b"\r\nEND\r\n"].concat(), "get {key}: another value");
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes).context("cannot ask")
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("no answer")?;
        Ok(line.strip_suffix("\r\n").context("the answer ends early")?.to_owned())
    }
}
