//! Finds the ACPI tables.
//!
//! Source: ACPI specification 6.4, 5.2.5 "Root System Description Pointer".

/// The size of the pointer structure of revision 2 and later.
pub const LENGTH: usize = 36;

/// The length of the part that revision 0 has and that the first checksum covers.
const FIRST_PART: usize = 20;

/// Returns the physical address of the root table in the pointer structure: the 64-bit one if there is one.
pub fn root_table(pointer: &[u8; LENGTH]) -> Option<u64> {
    let first = &pointer[..FIRST_PART];
    if !first.starts_with(b"RSD PTR ") || sum(first) != 0 {
        return None;
    }
    let revision = pointer[15];
    let address = match revision {
        0 | 1 => u64::from(u32::from_le_bytes([pointer[16], pointer[17], pointer[18], pointer[19]])),
        _ if sum(pointer) != 0 => return None,
        _ => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&pointer[24..32]);
            u64::from_le_bytes(bytes)
        }
    };
    (address != 0).then_some(address)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(revision: u8, rsdt: u32, xsdt: u64) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(b"RSD PTR ");
        bytes[15] = revision;
        bytes[16..20].copy_from_slice(&rsdt.to_le_bytes());
        bytes[24..32].copy_from_slice(&xsdt.to_le_bytes());
        bytes[8] = sum(&bytes[..FIRST_PART]).wrapping_neg();
        bytes[32] = sum(&bytes).wrapping_neg();
        bytes
    }

    #[test]
    fn the_revision_chooses_the_table() {
        assert_eq!(root_table(&pointer(0, 0x1000, 0x2000)), Some(0x1000));
        assert_eq!(root_table(&pointer(2, 0x1000, 0x2000)), Some(0x2000));
        assert_eq!(root_table(&pointer(2, 0x1000, 0)), None);
    }

    #[test]
    fn a_damaged_pointer_is_no_pointer() {
        for at in [0, 10, 17, 25] {
            let mut bytes = pointer(2, 0x1000, 0x2000);
            bytes[at] ^= 0x10;
            assert_eq!(root_table(&bytes), None, "byte {at}");
        }
    }
}
