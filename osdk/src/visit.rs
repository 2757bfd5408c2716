//! A client of the HTTP server in the guest (tests/src/bin/httpd/main.rs): sends requests and checks the answers.
//!
//! Source: RFC 9112, as far as that server implements it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// The longest silence within an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the server.
pub(crate) struct Visit {
    stream: BufReader<TcpStream>,
}

impl Visit {
    /// Connects to the server behind this port of the host.
    pub(crate) fn begin(port: u16) -> Result<Self> {
        connect(port).map(|stream| Self { stream })
    }

    /// Requests `path`, and returns the status and the body.
    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: pollux\r\n\r\n"), &[])
    }

    /// Posts `body` to `path`, and returns the status and the body of the answer.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        let len = body.len();
        self.ask(&format!("POST {path} HTTP/1.1\r\nHost: pollux\r\nContent-Length: {len}\r\n\r\n"), body)
    }

    /// Requests `count` bytes and compares each.
    pub(crate) fn compare_bytes(&mut self, count: usize) -> Result<()> {
        let (status, body) = self.get(&format!("/bytes/{count}"))?;
        ensure!(status == 200 && body.len() == count, "status {status}, {} of {count} bytes", body.len());
        match (0..).zip(&body).find(|(place, byte)| usize::from(**byte) != place % 251) {
            Some((place, byte)) => bail!("the byte at {place} is {byte}"),
            None => Ok(()),
        }
    }

    fn ask(&mut self, head: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).context("cannot ask")?;
        let (mut status, mut len, mut line) = (None, None, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).context("no answer")?;
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest.split(' ').next().and_then(|number| number.parse().ok());
            }
            if let Some(number) = text.strip_prefix("Content-Length: ") {
                len = number.parse().ok();
            }
        }
        let mut answer = vec![0; len.context("an answer without a length")?];
        self.stream.read_exact(&mut answer).context("the answer ends early")?;
        Ok((status.context("an answer without a status")?, answer))
    }
}

/// Asks for a stream of server-sent events, and returns the names and the data of the first `count`.
pub(crate) fn events(port: u16, path: &str, count: usize) -> Result<Vec<(String, String)>> {
    let mut stream = connect(port)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: pollux\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes()).context("cannot ask")?;
    let (mut events, mut name, mut data) = (Vec::new(), String::new(), String::new());
    while events.len() < count {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line).context("no event")? > 0, "the stream ends");
        if let Some(word) = line.strip_prefix("event: ") {
            word.trim_end().clone_into(&mut name);
        } else if let Some(text) = line.strip_prefix("data:") {
            data.push_str(text.trim_start());
        } else if line == "\n" && !name.is_empty() {
            events.push((std::mem::take(&mut name), std::mem::take(&mut data)));
        }
    }
    Ok(events)
}

/// Connects to the server behind this port of the host.
pub(crate) fn connect(port: u16) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Retries until the server answers. A connection to the host's port does not prove that, because QEMU accepts it.
pub(crate) fn await_server(port: u16, limit: Duration) -> Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    loop {
        match Visit::begin(port).and_then(|mut visit| visit.get("/")) {
            Ok((200, page)) => return Ok(page),
            Ok((status, _)) => bail!("the first page has status {status}"),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}
