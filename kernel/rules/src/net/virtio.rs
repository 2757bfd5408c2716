//! Virtio on PCI: the names of a device's registers and features; below it, the split queue.
//!
//! Source: Virtual I/O Device (VIRTIO) 1.2, sections 2.7 (queue), 4.1.4 (PCI), 5.1 (network device).

pub mod prefix;
pub mod queue;

use crate::net::pci::{Capability, Config, Function};

/// The PCI vendor ID of all virtio devices.
pub const VENDOR: u16 = 0x1af4;

/// The PCI device IDs of a network device: modern and transitional.
pub const NETWORK: [u16; 2] = [0x1041, 0x1000];

/// The ID of a vendor-specific capability.
const VENDOR_CAPABILITY: u8 = 9;

/// The bits of the device status, one for each step of a driver.
pub mod status {
    /// The driver has found the device…
    pub const ACKNOWLEDGE: u8 = 1;
    /// …knows how to drive it…
    pub const DRIVER: u8 = 2;
    /// …is ready…
    pub const DRIVER_OK: u8 = 4;
    /// …and has chosen features.
    pub const FEATURES_OK: u8 = 8;
}

/// The feature bits.
pub mod feature {
    /// The device completes the checksums of frames that leave.
    pub const CHECKSUM: u64 = 1;
    /// The driver accepts frames whose checksums are incomplete or verified by the device.
    pub const GUEST_CHECKSUM: u64 = 1 << 1;
    /// The device has a hardware address.
    pub const MAC: u64 = 1 << 5;
    /// The device complies with version 1 of the standard.
    pub const VERSION_1: u64 = 1 << 32;
}

/// The offsets of the fields of the common configuration.
pub mod common {
    /// Which half of the device's features `FEATURES` shows (32 bits).
    pub const FEATURES_SELECT: usize = 0x00;
    /// That half (32 bits).
    pub const FEATURES: usize = 0x04;
    /// Which half of the driver's features `CHOSEN` shows (32 bits).
    pub const CHOSEN_SELECT: usize = 0x08;
    /// That half (32 bits).
    pub const CHOSEN: usize = 0x0c;
    /// The status (8 bits).
    pub const STATUS: usize = 0x14;
    /// Selects the queue of the fields below (16 bits).
    pub const QUEUE_SELECT: usize = 0x16;
    /// How many entries it has (16 bits).
    pub const QUEUE_SIZE: usize = 0x18;
    /// Its interrupt, as a number in the MSI-X table (16 bits).
    pub const QUEUE_VECTOR: usize = 0x1a;
    /// Whether it is enabled (16 bits).
    pub const QUEUE_ENABLE: usize = 0x1c;
    /// Where it is notified, in multiples of the capability's multiplier (16 bits).
    pub const QUEUE_NOTIFY: usize = 0x1e;
    /// The address of its descriptors (64 bits).
    pub const QUEUE_DESCRIPTORS: usize = 0x20;
    /// The address of its available ring (64 bits).
    pub const QUEUE_AVAILABLE: usize = 0x28;
    /// The address of its used ring (64 bits).
    pub const QUEUE_USED: usize = 0x30;
    /// The length of the common configuration.
    pub const LEN: u64 = 0x38;
}

/// A region of registers, within the memory behind a base address register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceRegion {
    /// The number of the base address register.
    pub bar: u8,
    /// Where the region begins.
    pub offset: u32,
    /// Its length.
    pub len: u32,
}

/// The regions of a device that a driver needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceRegions {
    /// The common configuration.
    pub common: DeviceRegion,
    /// The notification registers.
    pub notify: DeviceRegion,
    /// The distance between two notification registers.
    pub notify_multiplier: u32,
    /// The configuration of this kind of device.
    pub device: DeviceRegion,
}

/// Finds the regions; the first of each kind counts. `None`: one is missing, as with legacy devices.
pub fn parts(function: Function, config: &impl Config) -> Option<DeviceRegions> {
    let (mut common, mut notify, mut device) = (None, None, None);
    for Capability { id, offset } in function.capabilities(config) {
        if id != VENDOR_CAPABILITY || offset > 0xec {
            continue;
        }
        let word = |index: u8| config.read(function, offset + 4 * index);
        let part = DeviceRegion { bar: word(1) as u8, offset: word(2), len: word(3) };
        match (word(0) >> 24) as u8 {
            1 => common = common.or(Some(part)),
            2 => notify = notify.or(Some((part, word(4)))),
            4 => device = device.or(Some(part)),
            _ => {}
        }
    }
    let (notify, notify_multiplier) = notify?;
    Some(DeviceRegions { common: common?, notify, notify_multiplier, device: device? })
}
