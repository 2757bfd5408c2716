//! Checks the CPU for the features that OSTD and the kernel need.
//!
//! OSTD enters user mode with FSGSBASE instructions and starts CPUs with the local APIC; the kernel saves the
//! state of programs with XSAVE. Without this check the kernel would fail later, without a message.

use crate::Refusal;

/// A CPUID leaf (with sub-leaf 0): eax, ebx, ecx, edx.
pub type Leaf = [u32; 4];

/// Checks the features in leaf 1 and leaf 7. `leaf` returns a leaf, all zeros if the CPU lacks it.
///
/// # Errors
/// [`Refusal::OldCpu`] names the first missing feature.
pub fn check(leaf: impl Fn(u32) -> Leaf) -> Result<(), Refusal> {
    const EBX: usize = 1;
    const ECX: usize = 2;
    const EDX: usize = 3;
    const NEEDED: [(u32, usize, u32, &str); 3] =
        [(1, EDX, 9, "a local APIC"), (1, ECX, 26, "XSAVE"), (7, EBX, 0, "FSGSBASE")];
    match NEEDED.iter().find(|(number, register, bit, _)| leaf(*number)[*register] & (1 << bit) == 0) {
        Some(&(.., missing)) => Err(Refusal::OldCpu { missing }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(apic: u32, xsave: u32, fsgsbase: u32) -> Result<(), Refusal> {
        check(|leaf| match leaf {
            1 => [0, 0, xsave << 26, apic << 9],
            7 => [0, fsgsbase, 0, 0],
            _ => [0; 4],
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(with(1, 1, 1), Ok(()));
        assert_eq!(with(0, 1, 1), Err(Refusal::OldCpu { missing: "a local APIC" }));
        assert_eq!(with(1, 0, 1), Err(Refusal::OldCpu { missing: "XSAVE" }));
        assert_eq!(with(1, 1, 0), Err(Refusal::OldCpu { missing: "FSGSBASE" }));
    }
}
