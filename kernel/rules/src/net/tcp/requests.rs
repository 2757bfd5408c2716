//! The requests of a listener, which wait for the last ACK of their handshakes.
//!
//! The source addresses may be forged. So requests take no place in the backlog: there are at most [`MOST`], and a new
//! one replaces the oldest. A client gets through if it answers before so many other SYNs arrive.
//! Source: RFC 4987 section 3.3.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::request::{ConnectionRequest, RequestAction};
use super::segment::Tuple;

/// The largest number of requests: `net.ipv4.tcp_max_syn_backlog` of a machine with little memory.
pub const MOST: usize = 512;

/// Requests, ordered by arrival.
#[derive(Debug, Default)]
pub struct ConnectionRequests {
    by_tuple: BTreeMap<Tuple, (u64, ConnectionRequest)>,
    by_age: BTreeMap<u64, Tuple>,
    next: u64,
}

impl ConnectionRequests {
    /// Adds a request for a new tuple, and returns the tuple of the oldest request if that was dropped to make room.
    #[must_use]
    pub fn insert(&mut self, request: ConnectionRequest) -> Option<Tuple> {
        let tuple = request.tuple();
        self.by_age.insert(self.next, tuple);
        self.by_tuple.insert(tuple, (self.next, request));
        self.next += 1;
        if self.by_tuple.len() <= MOST {
            return None;
        }
        let (_, oldest) = self.by_age.pop_first()?;
        self.by_tuple.remove(&oldest);
        Some(oldest)
    }

    /// Returns the request for `tuple`.
    pub fn get_mut(&mut self, tuple: &Tuple) -> Option<&mut ConnectionRequest> {
        self.by_tuple.get_mut(tuple).map(|(_, request)| request)
    }

    /// Removes the request for `tuple`.
    pub fn remove(&mut self, tuple: &Tuple) {
        if let Some((number, _)) = self.by_tuple.remove(tuple) {
            self.by_age.remove(&number);
        }
    }

    /// Advances all timers to `now`. Returns the requests whose SYN|ACK is to be sent again, and the tuples of those
    /// that were dropped.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> (Vec<ConnectionRequest>, Vec<Tuple>) {
        let (mut repeat, mut forget) = (Vec::new(), Vec::new());
        for (tuple, (_, request)) in &mut self.by_tuple {
            match request.expire(now) {
                RequestAction::Nothing => {}
                RequestAction::Repeat => repeat.push(*request),
                RequestAction::Forget => forget.push(*tuple),
            }
        }
        forget.iter().for_each(|tuple| self.remove(tuple));
        (repeat, forget)
    }

    /// Returns when [`expire`](Self::expire) is due.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.by_tuple.values().map(|(_, request)| request.due()).min()
    }

    /// Removes all requests and returns their tuples.
    #[must_use]
    pub fn clear(&mut self) -> Vec<Tuple> {
        core::mem::take(&mut self.by_age)
            .into_values()
            .inspect(|tuple| _ = self.by_tuple.remove(tuple))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use super::*;
    use crate::net::socket::Options;
    use crate::net::tcp::connection::Connection;
    use crate::net::tcp::packet::PacketBatch;
    use crate::net::tcp::{PathKind, Resources};

    const NOW: Duration = Duration::from_secs(1);

    fn request(port: u16) -> ConnectionRequest {
        let path = PathKind::Link { mtu: 1500 };
        let [local, remote] =
            [(2, port), (15, 80)].map(|(host, port)| SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, host), port));
        let mut syn = PacketBatch::new();
        let mut client = Connection::connect(
            Tuple { local, remote },
            path,
            Resources::unlimited(7),
            &Options::default(),
            NOW,
        );
        let _ = client.settle(NOW, &mut syn);
        ConnectionRequest::new(syn[0].ip(), path, 8, &Options::default(), NOW, &mut PacketBatch::new())
            .expect("a SYN")
    }

    #[test]
    fn the_oldest_gives_way_to_the_next() {
        let mut requests = ConnectionRequests::default();
        let most = MOST as u16;
        assert!((1..=most).all(|port| requests.insert(request(port)).is_none()));
        let tuple = |port| request(port).tuple();
        requests.remove(&tuple(2));
        assert_eq!(requests.insert(request(most + 1)), None);
        assert_eq!(requests.insert(request(most + 2)), Some(tuple(1)));
        assert_eq!(requests.insert(request(most + 3)), Some(tuple(3)));
        assert!(requests.get_mut(&tuple(3)).is_none() && requests.get_mut(&tuple(4)).is_some());
        assert_eq!(requests.clear().len(), MOST);
        assert_eq!((requests.due(), requests.clear().len()), (None, 0));
    }

    #[test]
    fn time_repeats_and_forgets() {
        let mut requests = ConnectionRequests::default();
        let _ = requests.insert(request(1));
        let mut repeats = 0;
        while let Some(due) = requests.due() {
            let (repeat, forget) = requests.expire(due);
            repeats += repeat.len();
            assert_eq!(repeat.len() + forget.len(), 1);
        }
        assert_eq!(repeats, 5);
    }
}
