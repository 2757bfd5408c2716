//! Many TCP connections at once: their memory, and that polling idle ones costs nothing.

use std::time::{Duration, Instant};

use pollux_tests::pollee::Counters;
use pollux_tests::select::{Sets, select};
use pollux_tests::{Errno, Fd, child, limit, poll, socket};

/// Connections; each has two ends.
const CONNECTIONS: usize = 225;

fn crowd(count: usize) -> Vec<(Fd, Fd)> {
    let (listener, address) = socket::listener(16, 0);
    (0..count)
        .map(|_| {
            let client = socket::tcp(0);
            socket::connect(&client, &address).unwrap();
            (client, socket::accept(&listener, 0).unwrap())
        })
        .collect()
}

#[test]
fn polling_idle_connections_asks_none_of_them() {
    const ROUNDS: u64 = 100;
    let crowd = crowd(CONNECTIONS);
    let mut entries: Vec<_> = crowd
        .iter()
        .flat_map(|(client, server)| [client, server])
        .map(|end| poll::entry(end.number(), libc::POLLIN))
        .collect();
    assert_eq!(poll::poll(&mut entries, 0), Ok(0));
    let before = Counters::read();
    for _ in 0..ROUNDS {
        assert_eq!(poll::poll(&mut entries, 0), Ok(0));
    }
    // Linux has no such counters.
    if let (Some(before), Some(after)) = (before, Counters::read()) {
        let moved = |column| after.get("socket", column) - before.get("socket", column);
        let is_cached = moved("hits") > 0;
        assert!(!is_cached || moved("misses") == 0, "{} misses", moved("misses"));
        assert!(!is_cached || moved("hits") == ROUNDS * entries.len() as u64);
    }
}

#[test]
fn select_over_idle_connections_takes_no_lock_of_theirs() {
    const ROUNDS: u64 = 100;
    let crowd = crowd(CONNECTIONS);
    let numbers: Vec<i32> =
        crowd.iter().flat_map(|(client, server)| [client.number(), server.number()]).collect();
    let ask = || {
        let mut sets = Sets::reading(&numbers);
        select(libc::FD_SETSIZE as i32, &mut sets, Some(Duration::ZERO)).0
    };
    let at_first = Counters::read();
    assert_eq!(ask(), Ok(0));
    let before = Counters::read();
    for _ in 0..ROUNDS {
        assert_eq!(ask(), Ok(0));
    }
    let after = Counters::read();
    // Linux has no such counters. A miss is a poll that takes the connection's lock.
    if let (Some(at_first), Some(before), Some(after)) = (at_first, before, after) {
        let moved = |from: &Counters, to: &Counters| {
            ["hits", "misses", "computes"]
                .map(|column| to.get("socket", column) - from.get("socket", column))
        };
        let each = 2 * CONNECTIONS as u64;
        match moved(&at_first, &before) {
            // Kept for who asked: the first has to look.
            [0, misses, _] if moved(&before, &after)[1] == 0 => assert_eq!(misses, each),
            // Kept always.
            [hits, 0, 0] => assert_eq!(hits, each),
            // Never kept.
            [0, misses, _] => {
                assert_eq!(misses, each);
                assert_eq!(moved(&before, &after)[1], ROUNDS * each);
                return;
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(moved(&before, &after), [ROUNDS * each, 0, 0], "hits, misses, computes");
    }
}

#[test]
fn two_thousand_connections_are_open_at_once() {
    child::run(|| {
        limit::set(libc::RLIMIT_NOFILE, 20_500, 20_500).unwrap();
        let before = free_memory();
        let crowd = crowd(2000);
        let taken = before.saturating_sub(free_memory());
        assert!(taken / 2000 < 100_000, "{} bytes for each connection", taken / 2000);
        let (client, server) = &crowd[1234];
        client.write(b"x").unwrap();
        assert_eq!(server.read(2), Ok(b"x".to_vec()));
    });
}

/// Returns the free memory.
fn free_memory() -> u64 {
    // SAFETY: all zero is a valid value.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::sysinfo(&mut info) }, 0);
    info.freeram * u64::from(info.mem_unit)
}

#[test]
fn one_of_many_is_found() {
    let crowd = crowd(CONNECTIONS);
    let mut entries: Vec<_> =
        crowd.iter().map(|(_, server)| poll::entry(server.number(), libc::POLLIN)).collect();
    for chosen in [0, CONNECTIONS / 2, CONNECTIONS - 1] {
        crowd[chosen].0.write(b"x").unwrap();
        assert_eq!(poll::poll(&mut entries, 5000), Ok(1));
        let ready = entries.iter().position(|entry| entry.revents != 0);
        assert_eq!(ready, Some(chosen));
        assert_eq!(crowd[chosen].1.read(2), Ok(b"x".to_vec()));
    }
}

/// Returns the short form of a number, or with `POLLUX_LONG=1` the long one.
fn short_or_long(short: usize, long: usize) -> usize {
    if std::env::var_os("POLLUX_LONG").is_some() { long } else { short }
}

/// Opens `count` connections, uses each, and closes them. Returns the bytes that they took together.
fn come_and_go(count: usize) -> u64 {
    let before = free_memory();
    let crowd = crowd(count);
    let taken = before.saturating_sub(free_memory());
    for (client, server) in &crowd {
        client.write(b"request").unwrap();
        assert_eq!(server.read(99), Ok(b"request".to_vec()));
    }
    taken
}

/// Waits until at most `tolerated` bytes of `before` are missing, and returns how many are in the end.
fn missing_memory(before: u64, tolerated: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let missing = before.saturating_sub(free_memory());
        if missing <= tolerated || Instant::now() > deadline {
            return missing;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn connections_come_and_go_and_give_their_memory_back() {
    const ROUNDS: u64 = 4;
    let count = short_or_long(1000, 10_000);
    child::run(|| {
        limit::set(libc::RLIMIT_NOFILE, 20_500, 20_500).unwrap();
        // A kernel may keep what it freed, for the next who wants such things: Linux keeps slabs, and TIME_WAIT. The
        // first round takes that; were a quarter of the connections lost, this would be missing.
        let taken = come_and_go(count);
        println!("{} bytes for each of {count} connections", taken / count as u64);
        let tolerated = taken * ROUNDS / 4;
        let missing_after_rounds = || {
            let before = free_memory();
            for _ in 0..ROUNDS {
                come_and_go(count);
            }
            missing_memory(before, tolerated)
        };
        // What is lost is lost each time; what others take meanwhile is not.
        let missing = (0..3).map(|_| missing_after_rounds()).find(|missing| *missing <= tolerated);
        assert!(
            missing.is_some(),
            "over {tolerated} bytes are missing after {ROUNDS} rounds of {taken}, each time"
        );
    });
}

// The first of these tests, by its name: the others leave so many waiting that there may be no room for more.
#[test]
fn a_closed_connection_has_no_buffers_and_keeps_its_port() {
    // A TIME_WAIT with buffers would have tens of thousands of bytes.
    const MOST: u64 = 1024;
    let count = short_or_long(4000, 12_000).min(socket::most_waiting() / 3 * 2);
    child::run(|| {
        let (listener, address) = socket::listener(16, 0);
        let visit = || {
            let client = socket::tcp(0);
            socket::connect(&client, &address).unwrap();
            let server = socket::accept(&listener, 0).unwrap();
            let name = socket::name(&client).unwrap();
            drop(client);
            assert_eq!(server.read(1), Ok(Vec::new()));
            name
        };
        for _ in 0..500 {
            visit();
        }
        let before = free_memory();
        let names: Vec<_> = (0..count).map(|_| visit()).collect();
        let tolerated = MOST * count as u64;
        let missing = missing_memory(before, tolerated);
        assert!(missing <= tolerated, "{missing} bytes for {count}");
        println!("{} bytes for each of {count}", missing / count as u64);
        for name in [names[0], names[count / 2], names[count - 1]] {
            assert_eq!(socket::bind(&socket::tcp(0), &name), Err(Errno::EADDRINUSE));
        }
    });
}

#[test]
fn connections_one_after_the_other_find_a_port() {
    let (listener, address) = socket::listener(16, 0);
    for _ in 0..short_or_long(5000, 100_000) {
        let client = socket::tcp(0);
        socket::connect(&client, &address).unwrap();
        let server = socket::accept(&listener, 0).unwrap();
        drop(client);
        drop(server);
    }
}
