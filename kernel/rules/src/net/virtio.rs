//! Virtio: a split queue, and what the parts of a device on PCI are called.
//!
//! Source: Virtual I/O Device (VIRTIO) 1.2, sections 2.7 (queue), 4.1.4 (PCI), 5.1 (network device).

pub mod prefix;
pub mod queue;

use crate::net::pci::{Capability, Config, Function};

/// The maker of all virtio devices.
pub const VENDOR: u16 = 0x1af4;

/// A network device: the modern number, and the transitional one.
pub const NETWORK: [u16; 2] = [0x1041, 0x1000];

/// The id of a capability of the maker's own kind.
const VENDOR_CAPABILITY: u8 = 9;

/// The steps of a driver, as bits of the device's status.
pub mod status {
    /// The device was noticed…
    pub const ACKNOWLEDGE: u8 = 1;
    /// …there is a driver for it…
    pub const DRIVER: u8 = 2;
    /// …which is ready…
    pub const DRIVER_OK: u8 = 4;
    /// …and has chosen features.
    pub const FEATURES_OK: u8 = 8;
}

/// Features, as bits.
pub mod feature {
    /// A network device completes the checksums of frames that leave.
    pub const CHECKSUM: u64 = 1;
    /// The driver takes frames whose checksums are not complete, or were looked at.
    pub const GUEST_CHECKSUM: u64 = 1 << 1;
    /// A network device has a hardware address.
    pub const MAC: u64 = 1 << 5;
    /// The device keeps to the standard's first version.
    pub const VERSION_1: u64 = 1 << 32;
}

/// Where a field of the common configuration is.
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
    /// Which queue the fields below are about (16 bits).
    pub const QUEUE_SELECT: usize = 0x16;
    /// How many entries it has (16 bits).
    pub const QUEUE_SIZE: usize = 0x18;
    /// Its interrupt, as a number in the MSI-X table (16 bits).
    pub const QUEUE_VECTOR: usize = 0x1a;
    /// Whether it works (16 bits).
    pub const QUEUE_ENABLE: usize = 0x1c;
    /// Where it is rung, in multiples of what the capability says (16 bits).
    pub const QUEUE_NOTIFY: usize = 0x1e;
    /// The address of its descriptors (64 bits).
    pub const QUEUE_DESCRIPTORS: usize = 0x20;
    /// The address of what the driver offers (64 bits).
    pub const QUEUE_AVAILABLE: usize = 0x28;
    /// The address of what the device has used (64 bits).
    pub const QUEUE_USED: usize = 0x30;
    /// Bytes of all this.
    pub const LEN: u64 = 0x38;
}

/// A part of a device, within the memory behind one of its base address registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceRegion {
    /// Which register.
    pub bar: u8,
    /// Where the part begins.
    pub offset: u32,
    /// Its bytes.
    pub len: u32,
}

/// The parts of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceRegions {
    /// What all devices have.
    pub common: DeviceRegion,
    /// Where queues are rung.
    pub notify: DeviceRegion,
    /// Bytes from one queue's place there to the next's.
    pub notify_multiplier: u32,
    /// What devices of this kind have.
    pub device: DeviceRegion,
}

/// Finds the parts; the first of each kind counts. `None`: one is missing, as with devices from before the standard.
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
