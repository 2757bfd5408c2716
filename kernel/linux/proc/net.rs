//! `/proc/PID/net`: a process's view of the network; all processes have the same.
//!
//! Not here: the texts (`linux/proc/net_tables`, `net/traffic`).
//! Missing: IPv6, raw and packet sockets, netlink, and protocol statistics.
//! Source: proc(5); Linux 6.1 fs/proc/proc_net.c.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;

use super::net_tables;
use super::subject::{Subject, named};
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::tmpfs::dynamic::{self, DynamicInode, DynamicNames, GeneratedFile, Listed, Text};
use crate::linux::fs::tmpfs::inode::Content;
use crate::net::traffic;

/// The network tables in the directory of a subject.
pub(super) struct Tables(pub(super) Subject);

type Table = fn() -> Result<Text, Errno>;

const TABLES: &[(&[u8], Table)] = &[
    (b"arp", || dynamic::text(net_tables::arp())),
    (b"dev", || dynamic::text(traffic::table())),
    (b"route", || dynamic::text(net_tables::route())),
    (b"sockstat", net_tables::sockstat),
    (b"tcp", net_tables::tcp),
    (b"udp", net_tables::udp),
    (b"unix", net_tables::unix),
];

/// Separates these inode numbers from those of the subject's other files.
const LOCAL: u64 = 1 << 29;

impl DynamicNames for Tables {
    fn find(&self, name: &[u8]) -> Result<DynamicInode, Errno> {
        let (table, local) = named(TABLES, LOCAL, name)?;
        let file = GeneratedFile { text: Box::new(table), changes: FileChanges::ORDINARY };
        self.0.find(local, 0o444, Content::GeneratedFile(file))
    }

    fn list(&self, from: u64) -> Vec<Listed> {
        self.0.list(LOCAL, TABLES.iter().map(|&(name, _)| (name, FileType::Regular)), from)
    }
}
