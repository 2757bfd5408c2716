//! `/proc/PID/net`: what a process sees of the network, which is what all see.
//!
//! Not here: the texts (`linux/net_tables`, `net/traffic`).
//! Missing: what is about IPv6, raw and packet sockets, netlink, and statistics of protocols.
//! Source: proc(5); Linux 6.1 fs/proc/proc_net.c.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;

use super::subject::Subject;
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::fs::tmpfs::live::{Found, Listed, Names};
use crate::linux::net_tables;
use crate::net::traffic;

/// The tables, in the directory of a subject.
pub(super) struct Tables(pub(super) Subject);

type Table = fn() -> Result<Vec<u8>, Errno>;

const TABLES: &[(&[u8], Table)] = &[
    (b"arp", || Ok(net_tables::arp())),
    (b"dev", || Ok(traffic::table())),
    (b"route", || Ok(net_tables::route())),
    (b"sockstat", net_tables::sockstat),
    (b"tcp", net_tables::tcp),
    (b"udp", net_tables::udp),
    (b"unix", net_tables::unix),
];

/// Keeps the numbers of these inodes apart from those of a subject's other files.
const LOCAL: u64 = 1 << 29;

impl Names for Tables {
    fn find(&self, name: &[u8]) -> Result<Found, Errno> {
        let mut tables = TABLES.iter().zip(LOCAL..);
        let (&(_, table), local) = tables.find(|((known, _), _)| *known == name).ok_or(Errno::ENOENT)?;
        self.0.find(local, 0o444, Content::Report(Box::new(table)))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        if self.0.process().is_err() {
            return Vec::new();
        }
        let listed = |(&(name, _), local): (&(&[u8], Table), u64)| Listed {
            key: local,
            name: name.to_vec(),
            number: self.0.inode(local),
            file_type: FileType::Regular,
        };
        TABLES.iter().zip(LOCAL..).map(listed).filter(|listed| listed.key >= from).collect()
    }
}
