//! Which system calls may begin when memory is scarce.
//!
//! A call that makes something which stays (a name, a descriptor, a socket, a process) needs memory for small pieces that
//! cannot fail, less than [`budget::CALL`] in all. Such calls return `ENOMEM`
//! rather than begin when that much cannot be had. All others may begin: what they allocate is gone when they return,
//! or they give back more than they take, or they ask for each page.
//!
//! Why: decision 0114.

use rules::abi::errno::Errno;

use crate::machine::memory::budget;

/// The numbers of the calls that make something.
const MAKERS: [u16; 57] = [
    2, 22, 38, 41, 42, 43, 44, 46, 47, 49, 50, 53, 56, 57, 58, 59, 72, 73, 80, 82, 83, 85, 86, 88, 133, 165,
    213, 222, 223, 233, 253, 254, 257, 258, 259, 264, 265, 266, 282, 283, 284, 286, 288, 289, 290, 291, 293,
    294, 299, 307, 316, 319, 434, 435, 436, 437, 438,
];

/// One bit for each number.
const MAKES: [u64; 8] = {
    let mut bits = [0; 8];
    let mut index = 0;
    while index < MAKERS.len() {
        let number = MAKERS[index] as usize;
        bits[number / 64] |= 1 << (number % 64);
        index += 1;
    }
    bits
};

/// Checks that the call `number` may begin.
///
/// # Errors
/// `ENOMEM`: it makes something, and only the reserve is left.
#[inline]
pub(super) fn admit(number: usize) -> Result<(), Errno> {
    if budget::is_scarce() { admit_makers(number) } else { Ok(()) }
}

#[cold]
fn admit_makers(number: usize) -> Result<(), Errno> {
    let makes = MAKES.get(number / 64).is_some_and(|bits| bits >> (number % 64) & 1 != 0);
    if makes { budget::admit() } else { Ok(()) }
}
