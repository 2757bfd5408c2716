//! A victim's memory for pointers: writable, read-only and unmapped pages side by side.

use std::ptr;

use pollux_tests::memory::{KERNEL, PAGE, Pages};
use pollux_tests::random::Random;

use crate::calls::Rights;

/// Names of a victim's own files.
const OWN: &[&[u8]] = &[
    b"file\0",
    b"a\0",
    b"b\0",
    b"a/b\0",
    b"a/a\0",
    b"link\0",
    b"./file\0",
    b".\0",
    b"\0",
    b"file/x\0",
    b"none/x\0",
    b"fifo\0",
    b"a/../a/../b\0",
];

/// Names of files that all processes share, and that root could remove.
const COMMON: &[&[u8]] = &[
    b"/\0",
    b"/dev/null\0",
    b"/dev/zero\0",
    b"/dev/full\0",
    b"/dev/random\0",
    b"/dev/urandom\0",
    b"/dev/tty\0",
    b"/proc/self\0",
    b"/proc/self/maps\0",
    b"/proc/self/exe\0",
    b"/proc/self/fd\0",
    b"/proc/meminfo\0",
    b"/proc/pollee\0",
    b"../../x\0",
];

/// Three pages: one that the kernel and we write, a read-only one, and a hole.
pub(crate) struct Scratch {
    pages: Pages,
    rights: Rights,
    /// The port of the victim's listener; the next ones are for other sockets.
    port: u16,
}

impl Scratch {
    pub(crate) fn new(rights: Rights, port: u16) -> Self {
        let pages = Pages::before_hole(3);
        pages.protect(2, libc::PROT_READ);
        Self { pages, rights, port }
    }

    /// Returns the start of the writable page.
    pub(crate) fn start(&self) -> usize {
        self.pages.start()
    }

    /// Returns the start of the read-only page.
    pub(crate) fn read_only(&self) -> usize {
        self.start() + 2 * PAGE
    }

    /// Chooses an address with some alignment and some distance to an end.
    pub(crate) fn anywhere(&self, random: &mut Random) -> usize {
        let ends = [self.start(), self.start() + PAGE, self.read_only(), self.pages.end()];
        let distances = [0, 1, 4, 8, 12, 16, 24, 32, 64, 128, 160, 256, 500];
        let (end, distance) = (random.pick(&ends), random.pick(&distances));
        if random.chance(1, 2) { end - distance } else { end + distance }
    }

    /// Fills a place with numbers that a structure could have: counts, flags, descriptors, times, other addresses.
    pub(crate) fn structure(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256 + random.pick(&[0, 0, 0, 0, 1, 4, 8]);
        for word in 0..16 {
            self.put(at + word * 8, &self.word(random).to_le_bytes());
        }
        at
    }

    /// Fills a place with a name.
    pub(crate) fn name(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        if random.chance(1, 40) {
            // Longer than the longest legal name; its end is in the hole.
            (0..PAGE + PAGE / 2).for_each(|offset| self.put(self.start() + offset, b"a"));
            return self.start();
        }
        let is_common = self.rights == Rights::Nobody && random.chance(1, 3);
        self.put(at, random.pick(if is_common { COMMON } else { OWN }));
        at
    }

    /// Makes an array of buffers, with too little, plenty or impossible room.
    pub(crate) fn vectors(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        for place in 0..8 {
            let (base, length) =
                (self.anywhere(random), random.pick(&[0, 1, 8, 100, 4096, 70_000, usize::MAX]));
            self.put(at + place * 16, &base.to_le_bytes());
            self.put(at + place * 16 + 8, &length.to_le_bytes());
        }
        at
    }

    /// Makes a message header of recvmsg(2), whose fields point at other structures.
    pub(crate) fn message(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        let (name, vectors, control) =
            (self.address(random), self.vectors(random), self.structure(random));
        let is_named = random.chance(1, 3);
        let is_controlled = random.chance(1, 3);
        let words = [
            if is_named { name } else { 0 },
            if is_named { 16 } else { 0 },
            vectors,
            random.below(9),
            if is_controlled { control } else { 0 },
            if is_controlled { random.below(120) } else { 0 },
            0,
        ];
        for (place, word) in words.into_iter().enumerate() {
            self.put(at + place * 8, &word.to_le_bytes());
        }
        at
    }

    /// Makes two times of seconds and nanoseconds, most of them short.
    pub(crate) fn times(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        for place in 0..2 {
            let seconds: u64 = random.pick(&[0, 0, 0, 0, 0, 1, u64::MAX, 1 << 62]);
            let nanoseconds: u64 =
                random.pick(&[0, 1, 1000, 100_000, 999_999, 999_999_999, 1_000_000_000]);
            self.put(at + place * 16, &seconds.to_le_bytes());
            self.put(at + place * 16 + 8, &nanoseconds.to_le_bytes());
        }
        at
    }

    /// Makes a socket address: the victim's listener, one nearby, or a name.
    pub(crate) fn address(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        if random.chance(1, 4) {
            self.put(at, &[1, 0]);
            self.put(at + 2, random.pick(OWN));
        } else {
            let port = self.port + random.pick(&[0, 0, 0, 1, 2]);
            self.put(at, &[2, 0]);
            self.put(at + 2, &port.to_be_bytes());
            self.put(
                at + 4,
                &random.pick(&[[127, 0, 0, 1], [127, 0, 0, 1], [0, 0, 0, 0], [10, 0, 0, 1]]),
            );
            self.put(at + 8, &[0; 8]);
        }
        at
    }

    /// Makes an array of names, usually with null at its end.
    pub(crate) fn names(&self, random: &mut Random) -> usize {
        let at = self.start() + random.below(28) * 256;
        let count = random.below(6);
        for place in 0..count {
            let name = self.name(random);
            self.put(at + place * 8, &name.to_le_bytes());
        }
        if !random.chance(1, 10) {
            self.put(at + count * 8, &[0; 8]);
        }
        at
    }

    fn word(&self, random: &mut Random) -> u64 {
        match random.below(10) {
            0..=1 => 0,
            2..=3 => random.below(40) as u64,
            4 => random.below(1 << 20) as u64,
            5 => self.anywhere(random) as u64,
            6 => 1 << random.below(64),
            7 => random.pick(&[
                u64::MAX,
                1 << 63,
                i64::MAX as u64,
                u64::from(u32::MAX),
                999_999_999,
                KERNEL as u64,
            ]),
            8 => random.below(64) as u64 | (random.below(64) as u64) << 32,
            _ => random.next_u64(),
        }
    }

    /// Writes the part that lies within the writable page, if that is still mapped and writable.
    fn put(&self, at: usize, bytes: &[u8]) {
        let room = self.read_only().saturating_sub(at).min(bytes.len());
        // SAFETY: the range lies in this thread's pages. A call may have unmapped them; the fault then ends the victim.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, room) };
    }
}
