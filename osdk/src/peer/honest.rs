//! An honest client of the HTTP server in the guest, on smoltcp's TCP.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use smoltcp::{
    iface::{Config, Interface, SocketSet},
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::tcp::{Socket, SocketBuffer, State},
    time,
    wire::{HardwareAddress, IpAddress, IpCidr},
};

use super::wire::{GUEST, HONEST, Wire, card};

/// The server's port.
const PORT: u16 = 80;

/// The time limit of a visit.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client. It uses another port for each connection.
pub(crate) struct Honest {
    port: u16,
    started: Instant,
}

impl Honest {
    pub(crate) fn new() -> Self {
        Self { port: 20_000, started: Instant::now() }
    }

    /// Transfers bytes in both directions and compares them.
    pub(crate) fn check(&mut self, wire: &Wire) -> Result<()> {
        let body = self.ask(wire, "GET /bytes/20000", &[])?;
        let is_right =
            body.len() == 20_000 && (0..).zip(&body).all(|(at, byte)| at % 251 == i32::from(*byte));
        ensure!(is_right, "{} bytes, or others, instead of 20000", body.len());
        let sent: Vec<u8> = (0..10_000_u32).map(|at| ((at * at) >> 3) as u8).collect();
        let echo = self.ask(wire, "POST /echo", &sent)?;
        ensure!(echo == sent, "what came back is not what was sent: {} bytes", echo.len());
        Ok(())
    }

    /// Returns the guest's free memory in KiB.
    pub(crate) fn free_memory(&mut self, wire: &Wire) -> Result<u64> {
        let report = String::from_utf8(self.ask(wire, "GET /memory", &[])?)?;
        let line = report.lines().find_map(|line| line.strip_prefix("MemFree:")).context("no MemFree")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Sends one request on its own connection, and returns the body of the answer.
    pub(crate) fn ask(&mut self, wire: &Wire, what: &str, body: &[u8]) -> Result<Vec<u8>> {
        let len = body.len();
        let mut request =
            format!("{what} HTTP/1.1\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n").into_bytes();
        request.extend_from_slice(body);
        let answer = self.converse(wire, &request)?;
        let is_ok = answer.starts_with(b"HTTP/1.1 200");
        ensure!(is_ok, "{what}: {:?}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("half an answer")?;
        Ok(answer[end + 4..].to_vec())
    }

    fn converse(&mut self, wire: &Wire, request: &[u8]) -> Result<Vec<u8>> {
        let mut port = Port { wire, arrived: VecDeque::new() };
        let mut config = Config::new(HardwareAddress::Ethernet(card(HONEST)));
        config.random_seed = u64::from(self.port) << 20;
        let mut interface = Interface::new(config, &mut port, self.now());
        // Room for one more connection.
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(HONEST), 24));
        });
        let mut set = SocketSet::new(Vec::new());
        let buffer = || SocketBuffer::new(vec![0; 32 * 1024]);
        let handle = set.add(Socket::new(buffer(), buffer()));
        self.port += 1;
        let remote = (IpAddress::Ipv4(GUEST), PORT);
        set.get_mut::<Socket<'_>>(handle).connect(interface.context(), remote, self.port)?;
        let deadline = Instant::now() + PATIENCE;
        let (mut sent, mut answer) = (0, Vec::new());
        loop {
            interface.poll(self.now(), &mut port, &mut set);
            let socket = set.get_mut::<Socket<'_>>(handle);
            if socket.can_send() && sent < request.len() {
                sent += socket.send_slice(&request[sent..])?;
            }
            while socket.can_recv() {
                socket.recv(|bytes| {
                    answer.extend_from_slice(bytes);
                    (bytes.len(), ())
                })?;
            }
            match socket.state() {
                // Both ends have sent everything.
                State::CloseWait => socket.close(),
                State::Closed if sent == request.len() => return Ok(answer),
                State::Closed => bail!("refused"),
                _ => {}
            }
            if Instant::now() > deadline {
                bail!("no end: {:?}, sent {sent}, got {} bytes", socket.state(), answer.len());
            }
            let pause = interface.poll_delay(self.now(), &set).map_or(50_000, |pause| pause.total_micros());
            if port.arrived.is_empty() && pause > 0 {
                let pause = Duration::from_micros(pause.clamp(100, 50_000));
                port.arrived.extend(wire.receive(pause)?);
            }
        }
    }

    fn now(&self) -> time::Instant {
        time::Instant::from_micros(self.started.elapsed().as_micros() as i64)
    }
}

/// The cable as a device of smoltcp.
struct Port<'a> {
    wire: &'a Wire,
    arrived: VecDeque<Vec<u8>>,
}

struct Arriving(Vec<u8>);
struct Leaving<'a>(&'a Wire);

impl Device for Port<'_> {
    type RxToken<'a>
        = Arriving
    where
        Self: 'a;
    type TxToken<'a>
        = Leaving<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: time::Instant) -> Option<(Arriving, Leaving<'_>)> {
        let frame = self.arrived.pop_front();
        let frame = frame.or_else(|| self.wire.receive(Duration::ZERO).ok().flatten())?;
        Some((Arriving(frame), Leaving(self.wire)))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Leaving<'_>> {
        Some(Leaving(self.wire))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

impl RxToken for Arriving {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        // A frame that the guest does not accept is lost, as on a real network.
        let _ = self.0.send_frame(&frame);
        result
    }
}
