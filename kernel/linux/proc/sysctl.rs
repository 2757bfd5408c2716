//! `/proc/sys`: parameters that programs look up, and those that root may set.
//!
//! Source: proc(5); Linux 6.1 Documentation/admin-guide/sysctl.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::core::pipe;
use rules::linux::abi::utsname;
use rules::net::tcp::{listener, time_wait};
use spin::Once;

use super::{TextFn, make, make_report};
use crate::linux::fs::changes::FileChanges;
use crate::linux::fs::generated::Setting;
use crate::linux::fs::namei::NewFile;
use crate::linux::fs::notify::limits;
use crate::linux::fs::path::Origin;
use crate::linux::fs::tmpfs::dynamic::{self, Control, GeneratedText};
use crate::linux::fs::tmpfs::inode::Content;
use crate::linux::task::uname::{self, MachineName};
use crate::machine::memory::budget;
use crate::machine::random;

const DIRECTORIES: [&[u8]; 9] = [
    b"sys",
    b"sys/fs",
    b"sys/fs/inotify",
    b"sys/kernel",
    b"sys/kernel/random",
    b"sys/net",
    b"sys/net/core",
    b"sys/net/ipv4",
    b"sys/vm",
];

const FILES: [(&[u8], TextFn); 14] = [
    (b"sys/fs/file-max", || number(i64::MAX.cast_unsigned())),
    (b"sys/fs/nr_open", || number(1 << 20)),
    (b"sys/fs/pipe-max-size", || number(pipe::UNPRIVILEGED_CAPACITY as u64)),
    (b"sys/kernel/ngroups_max", || number(1 << 16)),
    (b"sys/kernel/osrelease", || line(utsname::RELEASE)),
    (b"sys/kernel/ostype", || line(utsname::SYSTEM)),
    (b"sys/kernel/pid_max", || number(1 << 22)),
    (b"sys/kernel/random/boot_id", boot_id),
    (b"sys/kernel/random/uuid", || line(&uuid())),
    (b"sys/kernel/threads-max", || number(1 << 16)),
    (b"sys/kernel/version", || line(utsname::VERSION)),
    (b"sys/net/core/somaxconn", || number(listener::SOMAXCONN.into())),
    (b"sys/net/ipv4/tcp_max_tw_buckets", || number(time_wait::most(budget::total()) as u64)),
    (b"sys/vm/overcommit_memory", || number(0)),
];

const SETTINGS: [(&[u8], &Setting); 3] = [
    (
        b"sys/fs/inotify/max_queued_events",
        &Setting { get: || limits::QUEUED_EVENTS.get() as u64, set: |most| limits::QUEUED_EVENTS.set(most) },
    ),
    (
        b"sys/fs/inotify/max_user_instances",
        &Setting { get: || limits::INSTANCES.get() as u64, set: |most| limits::INSTANCES.set(most) },
    ),
    (
        b"sys/fs/inotify/max_user_watches",
        &Setting { get: || limits::WATCHES.get() as u64, set: |most| limits::WATCHES.set(most) },
    ),
];

pub(super) fn populate(origin: &Origin) -> Result<(), Errno> {
    for directory in DIRECTORIES {
        make(origin, directory, NewFile::Directory, 0o555)?;
    }
    for (name, text) in FILES {
        make_report(origin, name, text)?;
    }
    for (name, setting) in SETTINGS {
        make(origin, name, NewFile::Special(Content::Setting(setting)), 0o644)?;
    }
    for (path, name) in
        [(&b"sys/kernel/domainname"[..], &uname::DOMAIN), (b"sys/kernel/hostname", &uname::HOST)]
    {
        make(origin, path, NewFile::Special(Content::Control(Arc::new(NameFile(name)))), 0o644)?;
    }
    Ok(())
}

/// A name of this machine as a file.
struct NameFile(&'static MachineName);

impl Control for NameFile {
    fn open(&self) -> Result<GeneratedText, Errno> {
        let name = self.0;
        Ok(Box::new(move || {
            let mut text = name.get();
            text.push(b'\n');
            dynamic::text(text)
        }))
    }

    fn changes(&self) -> FileChanges {
        FileChanges::of_parameter(&self.0.changes)
    }

    /// Takes the bytes up to the end of the line (`proc_dostring`).
    fn write(&self, text: &[u8]) -> Option<Result<usize, Errno>> {
        let end = text.iter().position(|byte| [b'\n', 0].contains(byte)).unwrap_or(text.len());
        self.0.set(&text[..end]);
        Some(Ok(text.len()))
    }
}

fn number(number: u64) -> Vec<u8> {
    format!("{number}\n").into_bytes()
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

fn boot_id() -> Vec<u8> {
    static BOOT: Once<String> = Once::new();
    line(BOOT.call_once(uuid))
}

/// Generates a random UUID: version 4, variant 1.
fn uuid() -> String {
    let mut bytes = [0; 16];
    random::Stream::new().fill(&mut bytes);
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}
