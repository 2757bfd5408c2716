//! Prints digests of blocks of operations, or one block in full, and statistics about waits.

use std::fmt::{self, Write};

/// The number of operations in a block.
const BLOCK: u64 = 250;

/// The operations so far.
pub(crate) struct Log {
    shown: Option<u64>,
    /// The block to show. It is printed at the end, because printing takes time, which would change the waits.
    page: String,
    operations: u64,
    /// FNV-1a of the lines of this block.
    digest: u64,
    line: String,
    pub(crate) waits: Waits,
}

/// The number of waits of each kind.
#[derive(Default)]
pub(crate) struct Waits {
    pub(crate) all: u64,
    pub(crate) ready: u64,
    pub(crate) blocked: u64,
    pub(crate) with_two_threads: u64,
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

impl Log {
    pub(crate) fn new(shown: Option<u64>) -> Self {
        Self {
            shown,
            page: String::new(),
            operations: 0,
            digest: START,
            line: String::new(),
            waits: Waits::default(),
        }
    }

    /// Notes an operation and its result.
    pub(crate) fn note(&mut self, what: fmt::Arguments<'_>) {
        self.line.clear();
        let _ = self.line.write_fmt(what);
        for byte in self.line.bytes().chain([b'\n']) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.shown == Some(self.operations / BLOCK) {
            let _ = writeln!(self.page, "{} {}", self.operations, self.line);
        }
    }

    /// Ends an operation, which may have noted several results.
    pub(crate) fn next(&mut self) {
        self.operations += 1;
        if self.operations.is_multiple_of(BLOCK) {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        if self.shown.is_none() {
            println!("block {} {:016x}", (self.operations - 1) / BLOCK, self.digest);
        }
        self.digest = START;
    }

    pub(crate) fn finish(&mut self) {
        if !self.operations.is_multiple_of(BLOCK) {
            self.end_block();
        }
        print!("{}", self.page);
        let Waits { all, ready, blocked, with_two_threads } = self.waits;
        if self.shown.is_none() {
            println!(
                "{} operations; {all} waits: {ready} on something ready, {blocked} blocked, \
                 {with_two_threads} with two threads",
                self.operations
            );
        }
    }
}
