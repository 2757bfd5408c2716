//! Device numbers, as mknod(2) takes them and stat(2) shows them.
//!
//! Source: makedev(3); Linux 6.1 include/linux/kdev_t.h (`new_encode_dev`, `new_decode_dev`).

/// Which driver (major) and which of its devices (minor).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct DeviceNumber {
    /// The driver: 12 bits.
    pub major: u32,
    /// The device among the driver's: 20 bits.
    pub minor: u32,
}

impl DeviceNumber {
    /// No device.
    pub const NONE: Self = Self::new(0, 0);

    /// A number from its halves.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads the 32-bit form that user space passes.
    #[must_use]
    pub const fn decode(raw: u32) -> Self {
        Self { major: (raw >> 8) & 0xfff, minor: (raw & 0xff) | ((raw >> 12) & 0xf_ff00) }
    }

    /// Returns the 32-bit form that user space reads.
    #[must_use]
    pub const fn encode(self) -> u32 {
        (self.minor & 0xff) | ((self.major & 0xfff) << 8) | ((self.minor & 0xf_ff00) << 12)
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceNumber;

    #[test]
    fn large_minor_survives_the_round_trip() {
        let device = DeviceNumber::new(0xabc, 0xf_1234);
        assert_eq!(device.encode(), 0xf12a_bc34);
        assert_eq!(DeviceNumber::decode(device.encode()), device);
    }
}
