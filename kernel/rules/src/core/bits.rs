//! Sets of small numbers, as words.

/// Returns the numbers of the bits that are set in `word`, the lowest first.
#[inline]
pub fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_bit_is_found_once_and_in_order() {
        assert!(super::ones(0).eq([]));
        assert!(super::ones(u64::MAX).eq(0..64));
        assert!(super::ones(1 << 63 | 1 << 5 | 1).eq([0, 5, 63]));
    }
}
