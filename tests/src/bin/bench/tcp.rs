//! Measures TCP over loopback: connections, round trips, bandwidth, and round trips beside many idle connections.

use pollux_tests::sys::{self, Result};
use pollux_tests::{Fd, fd};

use crate::measure::{Bench, Figure, Outcome, Row, expect};
use crate::peer::Process;
use crate::watched::{read, write};

/// The bytes that one call of the bandwidth row moves.
const BLOCK: usize = 64 * 1024;

/// The number of blocks to count together: reading and writing alternate in a rhythm of several blocks.
const BLOCKS: usize = 16;

pub fn rows(bench: &Bench) {
    bench.row("tcp_connect_accept_close", 0, |row| {
        let listener = Listener::new(8)?;
        row.measure(|watch| {
            watch.time(|| {
                let Pair { client, server } = listener.connect()?;
                client.close()?;
                Ok(server.close()?)
            })
        })
    });
    bench.row("tcp_round_trip", 0, round_trip);
    bench.row("tcp_bandwidth_KiB", 0, bandwidth);
    for n in [1, 1_000, 10_000] {
        if n <= 1_000 || !bench.is_quick() {
            bench.row("tcp_round_trip_beside_idle", n, |row| beside_idle(row, n));
        }
    }
}

/// Measures a byte to another process and back.
fn round_trip(row: &Row) -> Outcome<Figure> {
    let Pair { client, server } = Listener::new(1)?.connect()?;
    let other = Process::start(|| {
        fd::close(client.number())?;
        let mut byte = [0];
        while read(server.number(), &mut byte)? == 1 {
            expect("write", write(server.number(), b"!"), Ok(1))?;
        }
        Ok(())
    })?;
    fd::close(server.into_number())?;
    let figure = row.measure(|watch| {
        watch.time(|| {
            let mut byte = [0];
            expect("write", write(client.number(), b"?"), Ok(1))?;
            expect("read", read(client.number(), &mut byte), Ok(1))?;
            expect("the answer", byte, *b"!")
        })
    })?;
    client.close()?;
    other.finish()?;
    Ok(figure)
}

/// Measures bandwidth from another process.
fn bandwidth(row: &Row) -> Outcome<Figure> {
    let Pair { client, server } = Listener::new(1)?.connect()?;
    let other = Process::start(|| {
        fd::close(client.number())?;
        let block = vec![0x5a; BLOCK];
        while let Ok(1..) = write(server.number(), &block) {}
        Ok(())
    })?;
    fd::close(server.into_number())?;
    let mut block = vec![0; BLOCK];
    let figure = row.measure_many(BLOCKS * BLOCK / 1024, |watch| {
        for _ in 0..BLOCKS {
            let mut got = 0;
            while got < BLOCK {
                let count = watch.time(|| read(client.number(), &mut block[got..]))?;
                expect("the end of the stream", count == 0, false)?;
                got += count;
            }
            let is_right = block[0] == 0x5a && block[BLOCK - 1] == 0x5a;
            expect("the bytes", is_right, true)?;
        }
        Ok(())
    })?;
    // The writer gets SIGPIPE, which ends it.
    client.close()?;
    let _ = other.finish();
    Ok(figure)
}

/// Measures a byte there and back within this process, beside `n` idle connections.
fn beside_idle(row: &Row, n: usize) -> Outcome<Figure> {
    let _idle = Pair::many(n)?;
    let Pair { client, server } = Listener::new(1)?.connect()?;
    row.measure(|watch| {
        watch.time(|| {
            let mut byte = [0];
            expect("write", write(client.number(), b"?"), Ok(1))?;
            expect("read", read(server.number(), &mut byte), Ok(1))?;
            expect("write back", write(server.number(), b"!"), Ok(1))?;
            expect("read back", read(client.number(), &mut byte), Ok(1))?;
            expect("the answer", byte, *b"!")
        })
    })
}

/// The two ends of a connection.
#[derive(Debug)]
pub struct Pair {
    /// The end that connected.
    pub client: Fd,
    /// The accepted end.
    pub server: Fd,
}

impl Pair {
    /// Makes `count` connections over loopback.
    pub fn many(count: usize) -> Outcome<Vec<Self>> {
        let listener = Listener::new(8)?;
        (0..count).map(|_| Ok(listener.connect()?)).collect()
    }
}

/// Makes a listening socket on 127.0.0.1.
struct Listener {
    socket: Fd,
    address: libc::sockaddr_in,
}

const ADDRESS_SIZE: usize = size_of::<libc::sockaddr_in>();

impl Listener {
    fn new(backlog: usize) -> Outcome<Self> {
        let socket = socket(libc::SOCK_STREAM)?;
        let mut address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
            sin_zero: [0; 8],
        };
        let number = socket.number() as usize;
        let mut size = ADDRESS_SIZE as u32;
        let (address_at, size_at) = (&raw mut address as usize, &raw mut size as usize);
        // SAFETY: the address and its size are ours.
        unsafe {
            sys::call(libc::SYS_bind, [number, address_at, ADDRESS_SIZE])?;
            sys::call(libc::SYS_listen, [number, backlog])?;
            sys::call(libc::SYS_getsockname, [number, address_at, size_at])?;
        }
        Ok(Self { socket, address })
    }

    fn connect(&self) -> Result<Pair> {
        let client = socket(libc::SOCK_STREAM)?;
        let to = [client.number() as usize, &raw const self.address as usize, ADDRESS_SIZE];
        // SAFETY: the kernel only reads.
        let server = unsafe {
            sys::call(libc::SYS_connect, to)?;
            sys::call(libc::SYS_accept4, [self.socket.number() as usize, 0, 0, 0])?
        };
        Ok(Pair { client, server: Fd::from_number(server as i32) })
    }
}

fn socket(kind: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    let number =
        unsafe { sys::call(libc::SYS_socket, [libc::AF_INET as usize, kind as usize, 0])? };
    Ok(Fd::from_number(number as i32))
}
