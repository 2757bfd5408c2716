//! A client of redis-server: sends requests and checks the answers.
//!
//! Source: the Redis serialization protocol, version 2.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{Errand, SIZES, bytes, crowd, insist};
use crate::visit::{self, PATIENCE};

/// The number of keys in the snapshot.
const KEYS: u32 = 20_000;

/// The visits to the first server.
pub(super) const ERRANDS: [Errand; 5] = [
    ("values of all sizes", |port| {
        crowd(4, |visitor| {
            let mut redis = Redis::begin(port)?;
            for (size, number) in SIZES.into_iter().zip(0..) {
                let (key, value) = (format!("{visitor}:{size}"), bytes(size, visitor + number));
                redis.expect(&[b"SET", key.as_bytes(), &value], &Reply::Text(b"OK".into()))?;
                redis.expect(&[b"GET", key.as_bytes()], &Reply::Text(value))?;
                redis.expect(&[b"DEL", key.as_bytes()], &Reply::Number(1))?;
                redis.expect(&[b"GET", key.as_bytes()], &Reply::Nothing)?;
            }
            Ok(())
        })
    }),
    ("many requests at once", |port| {
        let mut redis = Redis::begin(port)?;
        (0..5000).try_for_each(|_| redis.ask(&[b"INCR", b"count"]))?;
        (1..=5000).try_for_each(|number| redis.compare(&Reply::Number(number)))
    }),
    ("who waits is woken by another", |port| {
        let mut waiting = Redis::begin(port)?;
        let mut other = Redis::begin(port)?;
        for number in 0..50 {
            let item = format!("item {number}").into_bytes();
            waiting.ask(&[b"BLPOP", b"queue", b"10"])?;
            if number % 10 == 0 {
                thread::sleep(Duration::from_millis(20));
            }
            other.answer(&[b"RPUSH", b"queue", &item])?;
            waiting.compare(&Reply::List(vec![Reply::Text(b"queue".into()), Reply::Text(item)]))?;
        }
        // A timer ends this one.
        waiting.expect(&[b"BLPOP", b"queue", b"0.1"], &Reply::Nothing)
    }),
    ("what is published reaches all", |port| {
        let mut listeners = (0..20).map(|_| Redis::begin(port)).collect::<Result<Vec<_>>>()?;
        for listener in &mut listeners {
            listener.answer(&[b"SUBSCRIBE", b"news"])?;
        }
        let mut speaker = Redis::begin(port)?;
        for number in 0..20 {
            let news = bytes(number * 1000, number as u32);
            speaker.expect(&[b"PUBLISH", b"news", &news], &Reply::Number(20))?;
            let told = [b"message".to_vec(), b"news".to_vec(), news].map(Reply::Text).into();
            let told = Reply::List(told);
            listeners.iter_mut().try_for_each(|listener| listener.compare(&told))?;
        }
        Ok(())
    }),
    ("a key ends with its time", |port| {
        let mut redis = Redis::begin(port)?;
        redis.expect(&[b"SET", b"short", b"x", b"PX", b"100"], &Reply::Text(b"OK".into()))?;
        thread::sleep(Duration::from_millis(300));
        redis.expect(&[b"GET", b"short"], &Reply::Nothing)
    }),
];

/// Lets a child of the server write a snapshot while the server goes on changing the data, ends the server, and queries
/// the next one, which has only the snapshot.
pub(super) fn save_and_restart(port: u16, limit: Duration) -> Result<()> {
    const FILL: &[u8] = b"for i = 1, tonumber(ARGV[1]) do redis.call('set', 'key' .. i, \
                          ARGV[2] .. string.rep('x', i % 500)) end return redis.call('dbsize')";
    let mut redis = Redis::begin(port)?;
    let count = KEYS.to_string();
    redis.answer(&[b"FLUSHALL"])?;
    redis.expect(&[b"EVAL", FILL, b"0", count.as_bytes(), b"old"], &Reply::Number(KEYS.into()))?;
    redis.answer(&[b"BGSAVE"])?;
    redis.expect(&[b"EVAL", FILL, b"0", count.as_bytes(), b"new"], &Reply::Number(KEYS.into()))?;
    redis.await_child("rdb_bgsave_in_progress:0", limit)?;
    redis.require("persistence", "rdb_last_bgsave_status:ok")?;
    let last = [b"new".to_vec(), vec![b'x'; 499]].concat();
    redis.expect(&[b"GET", b"key499"], &Reply::Text(last))?;
    redis.end(&[b"SHUTDOWN", b"NOSAVE"])?;
    await_server(port, limit)?;
    let mut redis = Redis::begin(port)?;
    redis.expect(&[b"DBSIZE"], &Reply::Number(KEYS.into()))?;
    for number in 1..=KEYS {
        redis.ask(&[b"GET", format!("key{number}").as_bytes()])?;
        let value = [b"old".to_vec(), vec![b'x'; number as usize % 500]].concat();
        redis.compare(&Reply::Text(value)).with_context(|| format!("key{number} after the restart"))?;
        if number % 500 == 0 {
            // A sample is enough.
            break;
        }
    }
    redis.expect(&[b"SAVE"], &Reply::Text(b"OK".into()))
}

/// Lets a child begin an append-only file, changes data meanwhile, and ends the server, which saves once more.
pub(super) fn append_and_end(port: u16) -> Result<()> {
    let mut redis = Redis::begin(port)?;
    redis.expect(&[b"CONFIG", b"SET", b"appendonly", b"yes"], &Reply::Text(b"OK".into()))?;
    for number in 0..200 {
        redis.ask(&[b"SET", format!("more{number}").as_bytes(), b"value"])?;
    }
    (0..200).try_for_each(|_| redis.compare(&Reply::Text(b"OK".into())))?;
    redis.await_child("aof_rewrite_in_progress:0", PATIENCE)?;
    redis.await_child("aof_rewrite_scheduled:0", PATIENCE)?;
    redis.require("persistence", "aof_last_bgrewrite_status:ok")?;
    redis.require("persistence", "aof_last_write_status:ok")?;
    redis.end(&[b"SHUTDOWN", b"SAVE"])
}

/// Waits until a server answers. A connection to the host's port does not prove that, because QEMU accepts it.
pub(super) fn await_server(port: u16, limit: Duration) -> Result<()> {
    insist(limit, || Redis::begin(port)?.expect(&[b"PING"], &Reply::Text(b"PONG".into())))
}

/// An answer of the server.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    Number(i64),
    Nothing,
    List(Vec<Reply>),
}

/// A connection to the server.
struct Redis {
    stream: BufReader<TcpStream>,
}

impl Redis {
    /// Connects to what this port of the host leads to.
    fn begin(port: u16) -> Result<Self> {
        visit::connect(port).map(|stream| Self { stream })
    }

    /// Sends a request.
    fn ask(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).into_bytes());
            request.extend([word, &b"\r\n"[..]].concat());
        }
        self.stream.get_mut().write_all(&request).context("cannot ask")
    }

    /// Sends a request and reads the answer.
    fn answer(&mut self, words: &[&[u8]]) -> Result<Reply> {
        self.ask(words)?;
        self.read().with_context(|| String::from_utf8_lossy(words[0]).into_owned())
    }

    /// Sends a request, and fails unless this is the answer.
    fn expect(&mut self, words: &[&[u8]], wanted: &Reply) -> Result<()> {
        self.ask(words)?;
        self.compare(wanted).with_context(|| String::from_utf8_lossy(words[0]).into_owned())
    }

    /// Reads an answer, and fails unless it is this.
    fn compare(&mut self, wanted: &Reply) -> Result<()> {
        let seen = self.read()?;
        ensure!(seen == *wanted, "{seen:.80?} and not {wanted:.80?}");
        Ok(())
    }

    /// Waits until INFO reports that a child is done.
    fn await_child(&mut self, line: &str, limit: Duration) -> Result<()> {
        let tries = limit.as_millis() / 50;
        for _ in 0..tries {
            if self.require("persistence", line).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("never {line}")
    }

    /// Fails unless a section of INFO has this line.
    fn require(&mut self, section: &str, line: &str) -> Result<()> {
        match self.answer(&[b"INFO", section.as_bytes()])? {
            Reply::Text(text) if String::from_utf8_lossy(&text).lines().any(|seen| seen == line) => Ok(()),
            other => bail!("INFO {section} without {line}: {other:.80?}"),
        }
    }

    /// Tells the server to end, which it does without an answer.
    fn end(&mut self, words: &[&[u8]]) -> Result<()> {
        self.ask(words)?;
        let mut rest = Vec::new();
        // A reset means the same as an end.
        let _ = self.stream.read_to_end(&mut rest);
        ensure!(rest.is_empty(), "it does not end: {}", String::from_utf8_lossy(&rest));
        Ok(())
    }

    fn read(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("no answer")?;
        let line = line.strip_suffix("\r\n").context("no answer")?;
        let rest = line.get(1..).context("an empty answer")?;
        let count = || rest.parse::<i64>().context("not a number");
        match (line.as_bytes()[0], usize::try_from(count().unwrap_or(-1))) {
            (b'+', _) => Ok(Reply::Text(rest.as_bytes().to_vec())),
            (b':', _) => Ok(Reply::Number(count()?)),
            (b'$' | b'*', Err(_)) => Ok(Reply::Nothing),
            (b'$', Ok(count)) => {
                let mut text = vec![0; count + 2];
                self.stream.read_exact(&mut text).context("the answer ends early")?;
                ensure!(text.ends_with(b"\r\n"), "an answer of another length");
                text.truncate(count);
                Ok(Reply::Text(text))
            }
            (b'*', Ok(count)) => Ok(Reply::List((0..count).map(|_| self.read()).collect::<Result<_>>()?)),
            _ => bail!("{line}"),
        }
    }
}
