//! tcp(7), `tcp_max_tw_buckets`: the limit of connections in TIME_WAIT.

use std::net::Ipv4Addr;

use pollux_tests::{Errno, Fd, socket};

/// Connects to `address`, closes both ends, the client's first, and returns the client's address.
fn visit(listener: &Fd, address: &socket::Address) -> socket::Address {
    let client = socket::tcp(0);
    socket::connect(&client, address).unwrap();
    let server = socket::accept(listener, 0).unwrap();
    let name = socket::name(&client).unwrap();
    drop(client);
    assert_eq!(server.read(1), Ok(Vec::new()));
    name
}

/// Whether no other socket may bind this address.
fn is_kept(name: &socket::Address) -> bool {
    let result = socket::bind(&socket::tcp(0), name);
    assert!([Ok(()), Err(Errno::EADDRINUSE)].contains(&result), "{result:?}");
    result.is_err()
}

#[test]
fn beyond_a_number_closed_connections_do_not_wait() {
    /// How many visits there are between two looks.
    const SOME: usize = 250;
    /// Clients per address: so few that none gets the address of a connection in TIME_WAIT.
    const VISITORS: usize = 1000;
    let listener = socket::tcp(0);
    socket::bind(&listener, &socket::Address::new(Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket::listen(&listener, 16).unwrap();
    let port = socket::name(&listener).unwrap().parts().port();
    let most = socket::most_waiting();
    let mut visits = 0;
    loop {
        let host = u8::try_from(1 + visits / VISITORS % 250).unwrap();
        let address = socket::Address::new(Ipv4Addr::new(127, 0, 0, host), port);
        let names: Vec<_> = (0..SOME).map(|_| visit(&listener, &address)).collect();
        visits += SOME;
        // Others who wait may have the same port, with another address at the other end.
        if !names.iter().all(is_kept) {
            return;
        }
        assert!(visits <= most + SOME, "{visits} wait, and there is room for {most}");
    }
}
