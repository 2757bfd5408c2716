//! What stat(2), statx(2) and statfs(2) report of a file.
//!
//! Source: stat(2), statx(2), statfs(2); Linux 6.1 fs/stat.c, mm/shmem.c (`shmem_statfs`).

use ostd::mm::PAGE_SIZE;
use rules::abi::mode::FileType;
use rules::abi::stat::{
    STATX_ATTRIBUTE_MOUNT_ROOT, STATX_FILLED, STATX_MOUNT, Stat, Statfs, Statx, StatxTimestamp, Timestamp,
};
use rules::linux::abi::device::DeviceNumber;
use rules::linux::path::NAME_MAX;

use super::mount::Location;
use super::tmpfs::inode::{Content, Inode};
use super::tmpfs::superblock::FileSystemType;

/// 512-byte units in a page.
const BLOCKS_IN_PAGE: u64 = (PAGE_SIZE / 512) as u64;

/// Fills a `struct stat`.
pub(crate) fn stat(inode: &Inode) -> Stat {
    let attributes = inode.attributes();
    let pair = |time: Timestamp| [time.seconds, i64::from(time.nanoseconds)];
    if let Content::Nameless(nameless) = inode.content() {
        return Stat {
            mode: mode(inode),
            uid: attributes.uid,
            gid: attributes.gid,
            accessed: pair(attributes.accessed),
            modified: pair(attributes.modified),
            changed: pair(attributes.changed),
            ..nameless.stat
        };
    }
    Stat {
        device: u64::from(inode.superblock().device().encode()),
        inode: inode.number(),
        links: u64::from(attributes.links),
        mode: mode(inode),
        uid: attributes.uid,
        gid: attributes.gid,
        special_device: u64::from(special_device(inode).encode()),
        size: inode.size().cast_signed(),
        block_size: PAGE_SIZE as i64,
        blocks: (inode.page_count() * BLOCKS_IN_PAGE).cast_signed(),
        accessed: pair(attributes.accessed),
        modified: pair(attributes.modified),
        changed: pair(attributes.changed),
        ..Stat::default()
    }
}

/// Fills a `struct statx`: all of its fields, whatever the mask.
pub(crate) fn statx(location: &Location) -> Statx {
    let inode = &location.inode;
    let attributes = inode.attributes();
    let stamp = |time: Timestamp| StatxTimestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
        ..StatxTimestamp::default()
    };
    let pair = |device: DeviceNumber| [device.major, device.minor];
    Statx {
        mask: STATX_FILLED | STATX_MOUNT,
        block_size: PAGE_SIZE as u32,
        attributes: if location.is_mount_root() { STATX_ATTRIBUTE_MOUNT_ROOT } else { 0 },
        links: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        mode: mode(inode) as u16,
        inode: inode.number(),
        size: inode.size(),
        blocks: inode.page_count() * BLOCKS_IN_PAGE,
        attributes_mask: STATX_ATTRIBUTE_MOUNT_ROOT,
        accessed: stamp(attributes.accessed),
        born: stamp(attributes.born),
        changed: stamp(attributes.changed),
        modified: stamp(attributes.modified),
        special_device: pair(special_device(inode)),
        device: pair(inode.superblock().device()),
        mount: location.mount.number(),
        ..Statx::default()
    }
}

/// Fills a `struct statfs`.
pub(crate) fn statfs(location: &Location) -> Statfs {
    /// `ST_VALID`: the flags are valid.
    const VALID: i64 = 0x20;
    let superblock = location.inode.superblock();
    let device = superblock.device().encode().cast_signed();
    let mut statfs = Statfs {
        magic: superblock.file_system().magic(),
        block_size: PAGE_SIZE as i64,
        identity: [device, 0],
        name_length: NAME_MAX as i64,
        fragment_size: PAGE_SIZE as i64,
        flags: VALID,
        ..Statfs::default()
    };
    if matches!(superblock.file_system(), FileSystemType::Tmpfs | FileSystemType::Devtmpfs) {
        statfs.blocks = superblock.pages.limit();
        statfs.blocks_free = superblock.pages.free();
        statfs.blocks_available = superblock.pages.free();
        statfs.inodes = superblock.inodes.limit();
        statfs.inodes_free = superblock.inodes.free();
    }
    statfs
}

fn mode(inode: &Inode) -> u32 {
    let file_type = match inode.content() {
        // An anonymous inode has no type.
        Content::Nameless(nameless) => nameless.stat.mode & FileType::MASK,
        _ => inode.file_type().to_mode(),
    };
    file_type | inode.attributes().permissions.to_mode()
}

fn special_device(inode: &Inode) -> DeviceNumber {
    match inode.content() {
        Content::Device(_, device) => *device,
        _ => DeviceNumber::NONE,
    }
}
