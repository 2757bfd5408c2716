//! `/dev/pts`: a name for each pseudoterminal whose master is open.
//!
//! Owns: the one devpts, which every mount shows (Linux has one for each mount since 4.7), and its options.   Not
//! here: the pseudoterminals (`terminal/pty`).
//! Source: pts(4), mount(8); Linux 6.1 fs/devpts/inode.c.

use alloc::format;
use alloc::sync::Arc;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::credentials::Credentials;

use super::device::nodes;
use super::mount::{self, Location};
use super::namei::{self, NewFile};
use super::path::Origin;
use super::tmpfs::inode::{Content, DeviceKind, Inode};
use super::tmpfs::superblock::FileSystemType;
use super::tree::{self, OnlyTree};

static TREE: OnlyTree = OnlyTree::new(FileSystemType::Devpts, 0o755, populate);
static DEFAULTS: SpinLock<Defaults> = SpinLock::new(Defaults { mode: 0o600, uid: None, gid: None });

/// The owner and permissions of new slaves; without the options `uid` and `gid`, the opener of the master owns them.
#[derive(Clone, Copy)]
struct Defaults {
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
}

/// Returns the root of devpts, for mount(2).
///
/// # Errors
/// `EINVAL`: no such option. `ENOSPC`: no inode is left.
pub(super) fn mounted(options: &[u8]) -> Result<Arc<Inode>, Errno> {
    let mut defaults = Defaults { mode: 0o600, uid: None, gid: None };
    for option in options.split(|&byte| byte == b',').filter(|option| !option.is_empty()) {
        let option = core::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
        match option.split_once('=') {
            Some(("mode", mode)) => defaults.mode = tree::number(mode, 8)? as u32,
            Some(("uid", uid)) => defaults.uid = Some(tree::number(uid, 10)? as u32),
            Some(("gid", gid)) => defaults.gid = Some(tree::number(gid, 10)? as u32),
            Some(("ptmxmode", mode)) => drop(tree::number(mode, 8)?),
            Some(("max", max)) => drop(tree::number(max, 10)?),
            None if option == "newinstance" => {}
            _ => return Err(Errno::EINVAL),
        }
    }
    *DEFAULTS.lock() = defaults;
    TREE.root().cloned()
}

/// Adds the name of a pseudoterminal, its number.
///
/// # Errors
/// `ENOSPC`: no inode is left.
pub(crate) fn add(number: u32, slave: DeviceNumber, opener: &Credentials) -> Result<(), Errno> {
    let Defaults { mode, uid, gid } = *DEFAULTS.lock();
    let node = NewFile::Special(Content::Device(DeviceKind::Character, slave));
    let made = namei::make(&origin()?, name_of(number).as_bytes(), node, Permissions::from_mode(mode))?;
    made.inode.with_attributes(|attributes| {
        attributes.uid = uid.unwrap_or(opener.uid());
        attributes.gid = gid.unwrap_or(opener.gid());
    });
    Ok(())
}

/// Removes the name of a pseudoterminal.
pub(crate) fn remove(number: u32) {
    if let Ok(origin) = origin() {
        // A program may have removed the name already.
        let _ = namei::unlink(&origin, name_of(number).as_bytes());
    }
}

/// Finds a slave's place in the tree.
///
/// # Errors
/// `ENODEV`: no devpts is mounted. `ENOENT`: the name was removed.
pub(crate) fn find(number: u32) -> Result<Location, Errno> {
    let root = TREE.root()?;
    let mount = mount::all().into_iter().find(|mount| Arc::ptr_eq(mount.root(), root));
    let inode = root.find(name_of(number).as_bytes())?;
    Ok(Location { mount: mount.ok_or(Errno::ENODEV)?, inode, dentry: None })
}

fn name_of(number: u32) -> alloc::string::String {
    format!("{number}")
}

fn populate(origin: &Origin) -> Result<(), Errno> {
    let ptmx = NewFile::Special(Content::Device(DeviceKind::Character, nodes::PTMX));
    namei::make(origin, b"ptmx", ptmx, Permissions::empty()).map(|_| ())
}

fn origin() -> Result<Origin, Errno> {
    TREE.root().map(tree::origin_at)
}
