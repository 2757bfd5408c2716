//! A small HTTP server on epoll: one thread, edge-triggered, as many connections as there are.
//!
//! `httpd PORT` serves for ever; `httpd PORT visit` asks itself once over the loopback, waits for one visitor from
//! outside, and ends.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a page that shows the kernel's notifications and counters, live |
//! | `GET /counters` | `/proc/pollee` |
//! | `GET /live` | the counters and the new lines of the trace, as server-sent events |
//! | `GET /bytes/N` | N bytes, of which the one at place p is p mod 251 |
//! | `GET /reach/TO`, `GET /reach/TO/FROM` | what connect(2) to TO says, from FROM or anywhere: a number |
//! | `GET /memory` | `/proc/meminfo` |
//! | `POST /sum` | how many bytes the body has, and their sum |
//! | `POST /echo` | the body |
//!
//! Source: RFC 9112, as far as curl, wget, wrk and browsers need it.

mod live;

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::epoll::events::{ET, IN, OUT};
use pollux_tests::epoll::{self, Epoll};
use pollux_tests::socket::{self, Address};

/// The most bytes of a request's head.
const MOST_HEAD: usize = 8 * 1024;

/// The most bytes of an answer that are buffered at once.
const CHUNK: usize = 64 * 1024;

/// The time limit for a visitor.
const PATIENCE: Duration = Duration::from_secs(20);

const LISTENER: u64 = u64::MAX;

const PAGE: &str = include_str!("page.html");

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|text| text.parse().ok());
    let Some(port) = port else {
        eprintln!("usage: httpd PORT [visit]");
        return ExitCode::from(2);
    };
    let is_visit = arguments.next().is_some();
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .and_then(|listener| serve(&listener, port, is_visit))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("httpd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves for ever, or on a visit until a client from outside was served.
fn serve(listener: &TcpListener, port: u16, is_visit: bool) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new();
    watch(&epoll, listener.as_raw_fd(), IN, LISTENER)?;
    let mut clients: HashMap<u64, Client> = HashMap::new();
    let own = is_visit.then(|| thread::spawn(move || visit(port)));
    if is_visit {
        println!("httpd: ready on port {port}");
    }
    let deadline = Instant::now() + PATIENCE;
    let mut was_visited = false;
    let mut feed = live::Feed::new();
    loop {
        let is_live = clients.values().any(|client| client.is_live);
        let limit = if is_visit { 100 } else { -1 };
        let events = epoll.wait(256, if is_live { feed.wait() } else { limit }).map_err(os_error);
        for event in events? {
            if event.data == LISTENER {
                accept(listener, &epoll, &mut clients)?;
            } else if let Some(client) = clients.get_mut(&event.data) {
                let is_open = client.go_on().unwrap_or(false);
                was_visited |= client.was_served && !client.is_local;
                if !is_open {
                    clients.remove(&event.data);
                }
            }
        }
        if is_live && let Some(message) = feed.next() {
            clients.retain(|_, client| client.tell(&message).unwrap_or(false));
        }
        if is_visit
            && was_visited
            && clients.is_empty()
            && own.as_ref().is_none_or(thread::JoinHandle::is_finished)
        {
            return own
                .map_or(Ok(()), |own| own.join().unwrap_or_else(|_| Err(ErrorKind::Other.into())));
        }
        if is_visit && Instant::now() > deadline {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// Sends itself a request over loopback.
fn visit(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"GET /bytes/1000 HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| &answer[at + 4..]);
    let is_right = body.is_some_and(|body| {
        body.len() == 1000 && body.iter().zip(pattern(0)).all(|(a, b)| *a == b)
    });
    println!(
        "httpd: over the loopback: {} bytes, {}",
        answer.len(),
        if is_right { "as they should be" } else { "WRONG" }
    );
    if is_right { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

fn watch(epoll: &Epoll, fd: i32, events: u32, data: u64) -> io::Result<()> {
    epoll::ctl(epoll.number(), libc::EPOLL_CTL_ADD, fd, events, data).map_err(os_error)
}

fn accept(
    listener: &TcpListener,
    epoll: &Epoll,
    clients: &mut HashMap<u64, Client>,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let id = stream.as_raw_fd() as u64;
                watch(epoll, stream.as_raw_fd(), IN | OUT | ET, id)?;
                clients.insert(id, Client::new(stream, peer.ip().is_loopback()));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The other end is gone already, or no descriptor is free for it: go on with other connections.
            Err(_) => return Ok(()),
        }
    }
}

/// Makes bytes that depend on their offset.
fn pattern(from: usize) -> impl Iterator<Item = u8> {
    (from..).map(|place| (place % 251) as u8)
}

/// A body that is being received.
#[derive(Default)]
struct Body {
    missing: usize,
    count: usize,
    sum: u64,
    /// Its bytes, if the client wants them back.
    echo: Option<Vec<u8>>,
}

/// A connection.
struct Client {
    stream: TcpStream,
    is_local: bool,
    was_served: bool,
    /// The bytes read and not yet parsed.
    input: Vec<u8>,
    /// The output: bytes, and then a part of the pattern.
    output: Vec<u8>,
    written: usize,
    pattern: std::ops::Range<usize>,
    body: Option<Body>,
    closes: bool,
    ended: bool,
    /// Whether it gets the stream of events.
    is_live: bool,
}

impl Client {
    fn new(stream: TcpStream, is_local: bool) -> Self {
        Self {
            stream,
            is_local,
            was_served: false,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            pattern: 0..0,
            body: None,
            closes: false,
            ended: false,
            is_live: false,
        }
    }

    /// Sends the next message of the stream to a connection that gets it, unless an earlier one is still on its way.
    /// Returns whether the connection stays open.
    fn tell(&mut self, message: &str) -> io::Result<bool> {
        if !self.is_live || !self.output.is_empty() {
            return Ok(true);
        }
        self.output.extend_from_slice(message.as_bytes());
        self.go_on()
    }

    /// Reads, answers and writes as far as possible. Returns whether the connection stays open.
    fn go_on(&mut self) -> io::Result<bool> {
        loop {
            if !self.write()? {
                return Ok(true);
            }
            if self.closes && self.body.is_none() {
                return Ok(false);
            }
            if self.take_request() {
                continue;
            }
            if self.ended || self.input.len() > MOST_HEAD {
                return Ok(false);
            }
            let mut bytes = [0; 16 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => self.ended = true,
                Ok(count) => self.take_input(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the output. Returns `false` if the connection takes no more now.
    fn write(&mut self) -> io::Result<bool> {
        loop {
            if self.written == self.output.len() {
                self.output.clear();
                self.written = 0;
                let count = self.pattern.len().min(CHUNK);
                self.output.extend(pattern(self.pattern.start).take(count));
                self.pattern.start += count;
                if count == 0 {
                    return Ok(true);
                }
            }
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn take_input(&mut self, mut bytes: &[u8]) {
        if let Some(body) = &mut self.body {
            let (part, rest) = bytes.split_at(bytes.len().min(body.missing));
            body.missing -= part.len();
            body.count += part.len();
            body.sum += part.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            if let Some(echo) = &mut body.echo {
                echo.extend_from_slice(part);
            }
            bytes = rest;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Answers the next request, if it is complete.
    fn take_request(&mut self) -> bool {
        if let Some(body) = self.body.take_if(|body| body.missing == 0) {
            match body.echo {
                None => {
                    self.answer("200 OK", "text/plain", &format!("{} {}\n", body.count, body.sum))
                }
                Some(echo) => {
                    self.head("200 OK", "application/octet-stream", echo.len());
                    self.output.extend_from_slice(&echo);
                }
            }
            return true;
        }
        if self.body.is_some() {
            return false;
        }
        let Some(end) = self.input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return false;
        };
        let rest = self.input.split_off(end + 4);
        let head = String::from_utf8_lossy(&std::mem::take(&mut self.input)).into_owned();
        let mut lines = head.lines();
        let request: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let field = |name: &str| {
            let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            fields
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
        };
        let connection = field("connection").unwrap_or_default().to_ascii_lowercase();
        self.closes = connection == "close"
            || (request.last() == Some(&"HTTP/1.0") && connection != "keep-alive");
        match request[..] {
            ["GET", "/", _] => self.answer("200 OK", "text/html", PAGE),
            ["GET", "/counters", _] => {
                let counters = fs::read_to_string("/proc/pollee");
                self.answer(
                    "200 OK",
                    "text/plain",
                    &counters.unwrap_or_else(|_| "this kernel counts nothing\n".into()),
                );
            }
            ["GET", "/live", _] => {
                self.is_live = true;
                self.was_served = true;
                // The end of the connection is the end of the stream, so the client closes it.
                self.closes = false;
                self.output.extend_from_slice(live::HEAD.as_bytes());
            }
            ["GET", "/memory", _] => {
                let report = fs::read_to_string("/proc/meminfo").unwrap_or_default();
                self.answer("200 OK", "text/plain", &report);
            }
            ["POST", path @ ("/sum" | "/echo"), _] => {
                let len = field("content-length").and_then(|text| text.parse().ok());
                let echo = (path == "/echo").then(Vec::new);
                match len {
                    Some(missing) => self.body = Some(Body { missing, echo, ..Body::default() }),
                    None => self.answer("411 Length Required", "text/plain", "how much?\n"),
                }
            }
            ["GET", path, _] if path.starts_with("/reach/") => {
                let mut addresses = path["/reach/".len()..].split('/').map(str::parse);
                match (addresses.next(), addresses.next()) {
                    (Some(Ok(to)), None) => self.answer("200 OK", "text/plain", &reach(to, None)),
                    (Some(Ok(to)), Some(Ok(from))) => {
                        self.answer("200 OK", "text/plain", &reach(to, Some(from)));
                    }
                    _ => self.answer("400 Bad Request", "text/plain", "whom?\n"),
                }
            }
            ["GET", path, _] => {
                match path.strip_prefix("/bytes/").and_then(|count| count.parse().ok()) {
                    Some(count) => {
                        self.head("200 OK", "application/octet-stream", count);
                        self.pattern = 0..count;
                    }
                    None => self.answer("404 Not Found", "text/plain", "there is no such page\n"),
                }
            }
            _ => {
                self.closes = true;
                self.answer("400 Bad Request", "text/plain", "what?\n");
            }
        }
        self.take_input(&rest);
        true
    }

    fn head(&mut self, status: &str, kind: &str, len: usize) {
        let connection = if self.closes { "close" } else { "keep-alive" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len}\r\n\
             Cache-Control: no-store\r\nConnection: {connection}\r\n\r\n"
        );
        self.output.extend_from_slice(head.as_bytes());
        self.was_served = true;
    }

    fn answer(&mut self, status: &str, kind: &str, text: &str) {
        self.head(status, kind, text.len());
        self.output.extend_from_slice(text.as_bytes());
    }
}

/// Connects to the discard service of `to`, and returns the error number as text; 0 is success.
fn reach(to: Ipv4Addr, from: Option<Ipv4Addr>) -> String {
    let socket = socket::tcp(0);
    let bound = from.map_or(Ok(()), |from| socket::bind(&socket, &Address::new(from, 0)));
    let result = bound.and_then(|()| socket::connect(&socket, &Address::new(to, 9)));
    format!("{}\n", result.map_or_else(|error| error.0, |()| 0))
}

fn os_error(errno: pollux_tests::Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0)
}
