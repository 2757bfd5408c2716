//! Chooses arguments: most are of the kind that the call takes, the rest are anything.

use pollux_tests::memory::{KERNEL, NON_CANONICAL, PAGE, UNMAPPED};
use pollux_tests::random::Random;
use pollux_tests::sys;

use crate::calls::{Call, Rights};
use crate::scratch::Scratch;

/// The current directory, for the *at calls.
const HERE: usize = libc::AT_FDCWD as usize;

/// The ioctls of terminals, pipes, sockets and all files.
const IOCTLS: [usize; 12] = [
    0x5401,
    0x5402,
    0x540b,
    0x540e,
    0x540f,
    0x5410,
    0x5413,
    0x541b,
    0x5421,
    0x5450,
    0x5451,
    0x8010_7447,
];

/// Returns the process's own ID.
fn own() -> usize {
    sys::getpid() as usize
}

/// Chooses the arguments of one call. Surplus arguments are anything, too.
pub(crate) fn fill(
    random: &mut Random,
    call: &Call,
    scratch: &Scratch,
    rights: Rights,
) -> [usize; 6] {
    let kinds = call.kinds.as_bytes();
    // One call in eight gets random arguments only.
    let noise = random.chance(1, 8);
    let mut values = core::array::from_fn(|place| match kinds.get(place) {
        Some(kind) if !noise && !random.chance(1, 12) => of_kind(random, *kind, scratch),
        _ => anything(random, scratch),
    });
    // Arguments that could reach beyond the victim are confined to it.
    for (value, kind) in values.iter_mut().zip(kinds) {
        if *kind == b'i' && rights == Rights::Root {
            *value = 0;
        }
    }
    values
}

/// Chooses an argument of a kind. The table of calls explains the letters.
fn of_kind(random: &mut Random, kind: u8, scratch: &Scratch) -> usize {
    match kind {
        b'f' => descriptor(random),
        b'p' => match random.below(8) {
            0 => 0,
            1 => bad_address(random),
            2 => scratch.anywhere(random),
            _ => scratch.structure(random),
        },
        b's' => scratch.name(random),
        b'v' => scratch.names(random),
        b'l' => length(random),
        b'g' => flags(random),
        b'o' => offset(random),
        b'i' => random.pick(&[0, own(), own(), own(), 1, 2, usize::MAX, 12345, 1 << 31]),
        b'S' => random.below(70),
        b'c' => random.below(24),
        b'm' => memory(random, scratch),
        b'd' => random.pick(&[HERE, HERE, HERE, HERE, 3, 9, 10, usize::MAX]),
        b'z' => 8,
        b'E' => random.pick(&[0, 0, 0, 0, 1, 2, 3, 4]),
        b'C' => random.pick(&[0, 0, 0x800, 0x8_0000, 0x8_0800, 1]),
        b'D' => {
            if random.chance(1, 2) {
                usize::MAX
            } else {
                descriptor(random)
            }
        }
        b'a' => random.pick(&[0, 0, 0, 0x100, 0x200, 0x400, 0x800, 0x1000]),
        b'V' => scratch.vectors(random),
        b'H' => scratch.message(random),
        b'W' => {
            if random.chance(1, 6) {
                0
            } else {
                scratch.times(random)
            }
        }
        b'A' => scratch.address(random),
        b'B' => random.pick(&[16, 16, 16, 110, 8, 2]),
        b'F' => random.pick(&[1, 2, 2, 1, 10, 16]),
        b'T' => random.pick(&[1, 1, 2, 5, 0x801, 0x8_0001]),
        b'L' => random.pick(&[1, 1, 6, 0]),
        b'I' => random.pick(&IOCTLS),
        b'M' => {
            random.pick(&[0x22, 0x22, 0x21, 0x02, 0x01, 0x32, 0x12, 0x11, 0x10_0022, 0x8022, 0x122])
        }
        b'R' => random.pick(&[0x1001, 0x1002, 0x1003, 0x1004]),
        _ => anything(random, scratch),
    }
}

fn descriptor(random: &mut Random) -> usize {
    match random.below(16) {
        0 => random.pick(&[
            usize::MAX,
            1 << 31,
            0x7fff_ffff,
            1 << 32 | 5,
            1_000_000,
            -100_i32 as usize,
        ]),
        1 => random.below(70),
        _ => random.below(24),
    }
}

fn length(random: &mut Random) -> usize {
    match random.below(12) {
        0 => random.pick(&[
            usize::MAX,
            isize::MAX as usize,
            1 << 31,
            1 << 47,
            0x7fff_f000,
            usize::MAX - 4095,
        ]),
        1 => PAGE * random.below(20),
        2 => random.below(100_000),
        _ => random.below(130),
    }
}

fn offset(random: &mut Random) -> usize {
    match random.below(6) {
        0 => random.pick(&[
            usize::MAX,
            isize::MAX as usize,
            isize::MIN as usize,
            1 << 40,
            isize::MAX as usize - 4095,
        ]),
        1 => PAGE * random.below(20),
        _ => random.below(5000),
    }
}

fn flags(random: &mut Random) -> usize {
    match random.below(6) {
        0 => 0,
        1 => 1 << random.below(32) | 1 << random.below(32),
        2 => random.below(16),
        3 => random.pick(&[0x800, 0x8_0000, 0x8_0800, 0x42, 0x241, 0x1_0000, 0x20_0000, 0x41_0000]),
        4 => 1 << random.below(32),
        _ => random.next_u64() as u32 as usize,
    }
}

/// Chooses a page to map, unmap or protect. It spares the program's own pages, or the victim would soon end.
fn memory(random: &mut Random, scratch: &Scratch) -> usize {
    random.pick(&[
        0,
        UNMAPPED,
        UNMAPPED + PAGE,
        UNMAPPED + 8 * PAGE,
        scratch.read_only(),
        scratch.read_only() + 1,
        KERNEL,
        (1 << 47) - PAGE,
        1 << 47,
        usize::MAX - 4095,
        PAGE,
    ])
}

fn bad_address(random: &mut Random) -> usize {
    let text = bad_address as *const () as usize;
    random.pick(&[
        1,
        UNMAPPED,
        KERNEL,
        KERNEL + 8,
        0xffff_ffff_8000_0000,
        0xffff_ffff_ff60_0000,
        NON_CANONICAL,
        (1 << 47) - 1,
        (1 << 47) - 8,
        1 << 47,
        usize::MAX,
        usize::MAX - 7,
        text,
    ])
}

/// Chooses a number that programs pass by mistake or malice.
fn anything(random: &mut Random, scratch: &Scratch) -> usize {
    match random.below(8) {
        0 => bad_address(random),
        1 => scratch.anywhere(random),
        2 => descriptor(random),
        3 => length(random),
        4 => flags(random),
        5 => 1 << random.below(64),
        6 => random.pick(&[
            0,
            usize::MAX,
            isize::MIN as usize,
            0xffff_ffff,
            0x8000_0000,
            0x7fff_ffff,
        ]),
        _ => random.next_u64() as usize,
    }
}
